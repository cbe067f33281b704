"""A negotiation as somebody may read it: what is not for them left out and counted, and all of it in words.

What an llm said is shown as its own words, and only to those who see every site that
claimed from the pool: a sentence may compare them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from graphs.names import ELSEWHERE, Names
from graphs.negotiation.record import Advice, Choice, Pool, Record, RoundRecord, SettlementRecord
from tools.money import money_text
from tools.transfers import TransferPlan

POOLS_SAID = 5
CLAIMS_SAID = 6
CONCESSIONS_SAID = 5
LLM_SAYS = "In the words of the language model, which decide nothing"


def negotiation_answer(
    document: Mapping[str, Any], names: Names, currency: str, *, sees_whole: bool = True
) -> dict[str, Any]:
    """The negotiation record of a plan as the answer of a tool: short, masked, what an llm said marked as such."""
    record = seen_by(Record.read(document), names, sees_whole=sees_whole)
    arguments = () if record.advice is None else record.advice.arguments
    return {
        "rounds": len(record.rounds),
        "contested_pools": record.rounds[-1].contests if record.rounds else 0,
        "concessions": [each.words for each in record.concessions[:CONCESSIONS_SAID]],
        "recommended": [] if record.choice is None else list(record.choice.concessions),
        "arguments": [
            {
                "said_by": "language model",
                "for_site": each.site,
                "sku": each.pool.sku,
                "pool_site": each.pool.site,
                "words": each.words,
            }
            for each in arguments
        ],
        "words": negotiation_words(record, currency),
    }


def sees_whole(plan: TransferPlan, sites: frozenset[str] | None) -> bool:
    """Whether somebody with these sites sees all that a plan was made of: then what a limit costs the plan is for them."""
    within = plan.request.scope.within_sites
    return sites is None or (bool(within) and sites.issuperset(within))


def seen_by(record: Record, names: Names, *, sees_whole: bool = True) -> Record:
    """The record as the reader with these names may see it; without prices for who does not see the whole plan."""
    if not sees_whole:
        record = record.model_copy(update={"concessions": (), "conflicts": (), "pricing": "", "choice": None})
    whole = {
        settled.pool
        for round_ in record.rounds
        for settled in round_.settlements
        if all(names.site(site) == site for site in (settled.pool.site, *(award.site for award in settled.awards)))
    }
    return Record(
        rounds=tuple(_round_seen(each, names) for each in record.rounds),
        concessions=tuple(
            each.model_copy(update={"words": words, "changes": tuple(map(names.words, each.changes))})
            for each in record.concessions
            if (words := _told(each.words, names))
        ),
        conflicts=tuple(words for text in record.conflicts if (words := _told(text, names))),
        pricing=record.pricing,
        choice=None if record.choice is None else _choice_seen(record.choice, names),
        advice=None if record.advice is None else _advice_seen(record.advice, whole, names),
    )


def _told(text: str, names: Names) -> str:
    """Words about a limit as the reader may have them; none where the limit stands at a site that is not theirs."""
    words = names.words(text)
    return "" if ELSEWHERE in words else words


def _round_seen(round_: RoundRecord, names: Names) -> RoundRecord:
    shown = [each for each in (_settlement_seen(settled, names) for settled in round_.settlements) if each is not None]
    return round_.model_copy(
        update={
            "violations": tuple(names.words(text) for text in round_.violations),
            "settlements": tuple(shown),
            "settlements_hidden": len(round_.settlements) - len(shown),
        }
    )


def _settlement_seen(settled: SettlementRecord, names: Names) -> SettlementRecord | None:
    """The settlement with the claims of the reader's own sites; None where neither pool nor claim is theirs.

    The price comes from bids, so it is for those who see them all.
    """
    awards = tuple(award for award in settled.awards if names.site(award.site) == award.site)
    sees_pool, hidden = names.site(settled.pool.site) != ELSEWHERE, len(settled.awards) - len(awards)
    if not sees_pool and not awards:
        return None
    return settled.model_copy(
        update={
            "pool": _pool_seen(settled.pool, names),
            "pool_units": settled.pool_units if sees_pool else None,
            "reserve_prices_minor": settled.reserve_prices_minor if sees_pool else (),
            "price_minor": settled.price_minor if sees_pool and not hidden else None,
            "awards": awards,
            "claims_hidden": hidden,
        }
    )


def _pool_seen(pool: Pool, names: Names) -> Pool:
    return Pool(site=names.site(pool.site), sku=names.sku(pool.sku))


def _choice_seen(choice: Choice, names: Names) -> Choice:
    said = tuple(words for text in choice.concessions if (words := _told(text, names)))
    return choice.model_copy(update={"concessions": said, "reason": names.words(choice.reason)})


def _advice_seen(advice: Advice, whole: set[Pool], names: Names) -> Advice:
    arguments = tuple(
        each.model_copy(update={"pool": _pool_seen(each.pool, names), "words": names.words(each.words)})
        for each in advice.arguments
        if each.pool in whole
    )
    return advice.model_copy(update={"arguments": arguments})


def negotiation_words(record: Record, currency: str) -> str:
    """The negotiation in words, of a record that the reader may see."""
    return " ".join(negotiation_sentences(record, currency))


def negotiation_sentences(record: Record, currency: str) -> list[str]:
    """The same sentence by sentence."""
    if not record.rounds and not record.concessions and not record.conflicts:
        return ["There was nothing to negotiate: nothing was contested, and no limit was priced."]
    said = [words for each in record.rounds for words in _round_words(each, currency)]
    if record.concessions:
        said.append(f"Limits that could be relaxed: {_listed(each.words for each in record.concessions)}")
    said += [*record.conflicts, record.pricing, *_choice_words(record.choice), *_advice_words(record.advice)]
    return [words for words in said if words]


def _round_words(round_: RoundRecord, currency: str) -> Iterator[str]:
    pools = "pool of stock was" if round_.contests == 1 else "pools of stock were"
    yield f"Round {round_.round}, plan {round_.plan[:12]}: {round_.contests or 'no'} {pools} contested."
    yield from round_.violations
    for settled in round_.settlements[:POOLS_SAID]:
        yield _settlement_words(settled, currency)
    if len(round_.settlements) > POOLS_SAID:
        yield f"{len(round_.settlements) - POOLS_SAID} more settled pools are in the record."
    if round_.settlements_hidden:
        yield f"{round_.settlements_hidden} settled pools lie outside your sites."
    if round_.change:
        yield f"What followed: {round_.change}."


def _settlement_words(settled: SettlementRecord, currency: str) -> str:
    units = "" if settled.pool_units is None else f", {settled.pool_units:,} units,"
    claims = "; ".join(
        f"{award.site} claimed {award.claimed_units:,} and bid up to {money_text(award.highest_bid_minor, currency)} a pack,"
        f" was awarded {award.awarded_units:,} and gets {award.planned_units:,} from there by the plan"
        for award in settled.awards[:CLAIMS_SAID]
    )
    more = len(settled.awards) - CLAIMS_SAID
    claims += f"; {more} more claims are in the record" if more > 0 else ""
    others = f"; {settled.claims_hidden} claims come from outside your sites" if settled.claims_hidden else ""
    price = "" if settled.price_minor is None else f" at {money_text(settled.price_minor, currency)} a pack"
    return (
        f"{settled.pool.sku} at {settled.pool.site}{units} was settled by {settled.mechanism}{price}: {claims}{others}."
    )


def _choice_words(choice: Choice | None) -> Iterator[str]:
    if choice is None or not choice.concessions:
        return
    who = "The language model would put" if choice.by == "llm" else "By their value, these come"
    yield f"{who} before people first: {_listed(choice.concessions)} Nothing of it is applied; people decide."
    if choice.reason:
        yield f'{LLM_SAYS}: "{choice.reason}"'


def _advice_words(advice: Advice | None) -> Iterator[str]:
    if advice is None:
        return
    if not advice.taken:
        yield f"The language model was asked; its answer was ignored because {advice.ignored_because}."
    for each in advice.arguments:
        yield f'{LLM_SAYS}, for {each.site} on {each.pool.sku} at {each.pool.site}: "{each.words}"'
    if advice.asked_for_another_round:
        yield "It asked for another round, in which more limits were priced."
    if advice.sentences_dropped:
        yield f"{advice.sentences_dropped} of its sentences were left out: too long, or with something that it was not given."


def _listed(words: Iterable[str]) -> str:
    return " ".join(islice(words, CONCESSIONS_SAID))
