"""The words that the pages use, each explained once. Pages link to them by `term("fill-rate", "fill rate")`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A word, and what is meant by it here. `slug` is its anchor on the help page: `/help#term-fill-rate`."""

    slug: str
    name: str
    words: str
    see: tuple[str, ...] = ()


TERMS: tuple[Term, ...] = (
    Term("approval-request", "Approval request", "A plan that was put into the queue and waits for a decision. It expires if nobody decides in time.", ("decision", "tier")),
    Term("audit-trail", "Audit trail", "The list of everything that was done, by whom and when. Entries are only added. Each one is chained to the one before it, so a change in the past shows.", ("ledger", "checkpoint")),
    Term("availability", "Availability", "The share of what customers ask for that is there when they ask. Another word for fill rate.", ("fill-rate",)),
    Term("available", "Available", "Units on hand that are not promised to anything else: on hand less reserved.", ("on-hand", "reserved")),
    Term("backtest", "Backtest", "Past sales played again under different rules, to see which would have served customers better and at what cost."),
    Term("checkpoint", "Checkpoint", "A signed note of how the audit trail stood at a moment. Kept elsewhere, it proves later that nothing before it was changed or taken away.", ("audit-trail", "fingerprint")),
    Term("claim", "Claim (a request)", "To say “I am looking at this one”. For half an hour nobody else decides on it."),
    Term("concession", "Concession", "Something that a rule forbids and that would save more, with its price. It is put before people; nothing of it is done by itself."),
    Term("coverage", "Coverage (days of cover)", "How many days the available stock lasts at the demand that is expected.", ("available",)),
    Term("damaged", "Damaged", "Units that arrived but cannot be sold. They are booked as such and leave the stock."),
    Term("days-of-cover", "Days of cover", "The same as coverage: how long the stock lasts.", ("coverage",)),
    Term("decision", "Decision", "A person's yes or no to exactly one plan. If the plan is changed afterwards, it needs another decision.", ("fingerprint", "four-eyes")),
    Term("delegation", "Delegation", "Lending one's sites and limit to somebody else for a while, for instance during a holiday."),
    Term("departure", "Departure", "A truck, van or parcel run on a lane on a day. It costs the same however full it is, so lines share it.", ("lane",)),
    Term("digest", "Digest", "The technical word for a fingerprint.", ("fingerprint",)),
    Term("donor", "Donor", "The site that sends stock. It keeps what it needs itself.", ("receiver", "source-protection")),
    Term("drift", "Drift", "How much the world may move between a plan and its decision before the plan goes back to be made again.", ("outrun",)),
    Term("erp", "ERP", "The company's system of record for stock and orders. Approved transfers are posted there, each exactly once."),
    Term("escalated", "Escalated", "A request that waited too long. It moves to the top of the queue and more people hear of it."),
    Term("expiring", "Expiring", "Stock that will pass its last selling day before it is sold.", ("imbalance",)),
    Term("fill-rate", "Fill rate", "The share of what customers ask for that is served from stock until the regular supply comes. 90 % means: of ten units asked for, nine were there. What a distribution center passes on to stores is not asked for by a customer and does not count, so a transfer to one can save money and leave this share as it is."),
    Term("fingerprint", "Fingerprint", "A short number worked out from the content of a plan. Two plans with the same fingerprint are the same plan; change one unit and it is another. A decision names it, so it is clear what was decided on."),
    Term("forecast", "Forecast", "What a site is expected to sell of a SKU, and how uncertain that is."),
    Term("four-eyes", "Four eyes", "Whoever made or last changed a plan cannot approve it. Another person has to."),
    Term("gap", "Gap", "How much better a plan could still be at most. A gap of 0.3 % means that no plan saves more than 0.3 % more.", ("solver",)),
    Term("held", "Held", "An approved order that waits because something was stopped. Somebody who may do so lets it go on.", ("stop",)),
    Term("imbalance", "Imbalance", "Stock that is not where it should be: a shortage, a surplus, stock that expires or that nobody wants where it lies.", ("shortage", "surplus", "expiring", "stranded")),
    Term("in-transit", "In transit", "Units that have left one site and have not arrived at the other."),
    Term("kill-switch", "Kill switch", "One switch that stops everything: no plan goes forward and no order is posted until it is released.", ("stop",)),
    Term("lane", "Lane", "A way from one site to another by one mode, such as “truck from DC01 to S005”, with its lead time, cost and room."),
    Term("lead-time", "Lead time", "Days from departure to arrival on a lane."),
    Term("ledger", "Ledger", "The books: every move of stock and every act, in order. What stands there can be checked by anybody who may read it.", ("audit-trail", "stock-move")),
    Term("left-behind", "Left behind", "Units that have to leave a site by a date and do not leave with the plan, with the reason."),
    Term("lineage", "Lineage", "Where a transfer comes from and what became of it: from the signal, through the plan and the decision, to the receipt."),
    Term("lot", "Lot", "Units of a SKU that were made together and share a last selling day."),
    Term("masked", "Masked", "A SKU that you have no clearance for. It appears under a made-up name everywhere, downloads included."),
    Term("negotiation", "Negotiation", "When several sites want the same stock, their claims are settled by what a unit is worth to each of them.", ("concession",)),
    Term("on-hand", "On hand", "Units that are physically at a site.", ("available", "reserved")),
    Term("on-order", "On order", "Units that a supplier still has to deliver."),
    Term("order-up-to", "Order-up-to", "The level that stock is filled up to. Together with the safety stock it makes up a target.", ("target", "safety-stock")),
    Term("outrun", "Outrun", "The world has moved on since the plan was made, so the plan went back instead of being forced through.", ("drift",)),
    Term("overlay", "What-if", "A change that a plan assumes for itself alone: a lane left out, demand 20 % higher, a limit on units."),
    Term("pack", "Pack", "The number of units in which a SKU is moved. Lines carry whole packs."),
    Term("plan", "Plan (transfer plan)", "A proposal of what to move, from where to where, when, and what that saves. Nothing moves because of it until a person has approved it.", ("line", "fingerprint")),
    Term("plan-request", "Plan request", "The question that a plan answers: which part of the network, how soon, and with which assumptions.", ("overlay",)),
    Term("policy", "Policy", "The released rules for planning and approving: what costs what, what is forbidden, who signs what. Each release has a name, and one is in force."),
    Term("posted", "Posted", "Entered into the ERP. From then on the warehouse knows of it.", ("erp",)),
    Term("provenance", "Provenance", "Which facts, policy, solver and language model a plan is put down to."),
    Term("quarantined", "Quarantined", "Data that failed a quality check. Nothing is planned on it until it is put right.", ("signal",)),
    Term("receipt", "Receipt", "What the receiving site reports as arrived: how many units, and how many of them damaged."),
    Term("receiver", "Receiver", "The site that gets stock.", ("donor",)),
    Term("regular-supply", "Regular supply", "The next delivery that comes anyway. Transfers bridge the time until then."),
    Term("reserved", "Reserved", "Units on hand that are promised to a transfer already.", ("available",)),
    Term("safety-stock", "Safety stock", "Units kept for demand that is higher or supply that is later than expected.", ("target",)),
    Term("saving", "Saving", "What a plan is expected to be worth: sales that would be lost and stock that would be left over, less the cost of moving."),
    Term("scan", "Scan", "A look over the whole network, by timer or by hand, that puts the best plan into the queue without anybody asking in words."),
    Term("scope", "Scope", "The sites that you see and act on. What lies outside it is left out and counted."),
    Term("shortage", "Shortage", "A site is likely to run out of a SKU before its regular supply.", ("imbalance", "stock-out")),
    Term("signal", "Signal", "A fact from outside: a stock count, sales, a forecast, a late delivery."),
    Term("signature", "Signature", "One person's yes to a plan. Large plans, and those between legal entities, need more than one.", ("four-eyes", "tier")),
    Term("site", "Site", "A place with stock: a store or a warehouse."),
    Term("sku", "SKU", "An article as it is stocked and counted, such as one size of one shampoo."),
    Term("snapshot", "Snapshot", "The facts as they stood at a moment, frozen. A plan names the snapshot it was made on, so it can be made again."),
    Term("solver", "Solver", "The program that works out the quantities by mathematics. A language model may choose the question, never the numbers.", ("gap",)),
    Term("source-protection", "Source protection", "A rule: a donor keeps what it needs itself until its own regular supply.", ("donor",)),
    Term("stock-move", "Stock move", "One line of the books: so many units of a SKU from one place to another. Every move balances.", ("ledger",)),
    Term("stock-out", "Stock-out", "A site has nothing left of a SKU. The risk of it is the probability that this happens before the regular supply."),
    Term("stop", "Stop", "Part of the work is halted, for a site, a lane or a class of goods, with a reason on record. Only some people can release it.", ("kill-switch", "held")),
    Term("stranded", "Stranded", "Stock that hardly anybody wants where it lies.", ("imbalance",)),
    Term("surplus", "Surplus", "More stock than a site needs until its regular supply.", ("imbalance",)),
    Term("target", "Target", "How much of a SKU a site should have: its safety stock, and the level it is filled up to.", ("safety-stock", "order-up-to", "coverage")),
    Term("tier", "Tier", "How large a plan is in the eyes of the policy. It says how many signatures it needs and how soon it expires.", ("signature", "policy")),
    Term("line", "Transfer line", "One row of a plan: so many units of a SKU from one site to another on a day.", ("plan",)),
    Term("transfer-order", "Transfer order", "A line of an approved plan on its way: released, confirmed by the ERP, shipped, received, closed.", ("posted", "receipt")),
)  # fmt: skip


def glossary() -> list[Term]:
    """The terms in the order of the alphabet."""
    return sorted(TERMS, key=lambda term: term.name.casefold())
