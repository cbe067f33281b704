"""The first schema: every table, and the function that appends to the ledger."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "decision",
    "negotiation",
    "approval_request",
    "snapshot_of_facts",
    "run",
    "receipt",
    "plan",
    "access_token",
    "transfer_order",
    "thread",
    "supplier_reliability",
    "stock_move",
    "stock_count",
    "snapshot",
    "signal",
    "sales",
    "replenishment",
    "person",
    "network_import",
    "master_data",
    "ledger_head",
    "ledger_event",
    "lane_lead_time",
    "installation",
    "inbound",
    "governance",
    "forecast_day",
    "forecast_cache",
    "data_hold",
    "built_in_transfer",
    "balance",
)


def upgrade() -> None:  # noqa: PLR0915  one statement for each table
    op.create_table(
        "balance",
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("units >= 0 or place like 'outside/%'", name="balance_not_negative"),
        sa.PrimaryKeyConstraint("place", "sku_id"),
    )
    op.create_table(
        "built_in_transfer",
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reference"),
    )
    op.create_table(
        "data_hold",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("check_name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("signal_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "sku_id", "kind"),
    )
    op.create_table(
        "forecast_cache",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "forecast_day",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("mean_e6", sa.BigInteger(), nullable=False),
        sa.Column("variance_e6", sa.BigInteger(), nullable=True),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "sku_id", "on_date"),
    )
    op.create_table(
        "governance",
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("policy_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy_by", sa.String(), nullable=False),
        sa.Column("kill_switch", sa.Boolean(), nullable=False),
        sa.Column("kill_switch_reason", sa.String(), nullable=False),
        sa.Column("kill_switch_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kill_switch_by", sa.String(), nullable=False),
        sa.CheckConstraint("row_no = 1", name="governance_one_row"),
        sa.PrimaryKeyConstraint("row_no"),
    )
    op.create_table(
        "inbound",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("units between 0 and 1000000000", name="inbound_units"),
        sa.PrimaryKeyConstraint("site_id", "sku_id", "reference"),
    )
    op.create_table(
        "installation",
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("pinned_now", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts_version", sa.BigInteger(), nullable=False),
        sa.Column("demand_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("row_no = 1", name="installation_one_row"),
        sa.PrimaryKeyConstraint("row_no"),
    )
    op.create_table(
        "lane_lead_time",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("lead_time_days", sa.Integer(), nullable=False),
        sa.Column("lead_time_sd_millidays", sa.Integer(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin", "destination", "mode"),
    )
    op.create_table(
        "ledger_event",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("prev", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_ledger_event_type"), "ledger_event", ["type"], unique=False)
    op.create_index("ledger_event_by_time", "ledger_event", ["occurred_at", "stream", "seq"], unique=False)
    op.create_table(
        "ledger_head",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream"),
    )
    op.create_table(
        "master_data",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
    )
    op.create_table(
        "network_import",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "person",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sites", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("sees_sensitive", sa.Boolean(), nullable=False),
        sa.Column("value_limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "replenishment",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("next_arrival_on", sa.Date(), nullable=False),
        sa.Column("review_period_days", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "sku_id"),
    )
    op.create_table(
        "sales",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("grain", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("units between 0 and 1000000000", name="sales_units"),
        sa.PrimaryKeyConstraint("site_id", "sku_id", "on_date", "grain"),
    )
    op.create_table(
        "signal",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("signal_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", "signal_id"),
    )
    op.create_index(op.f("ix_signal_kind"), "signal", ["kind"], unique=False)
    op.create_index(op.f("ix_signal_received_at"), "signal", ["received_at"], unique=False)
    op.create_index(op.f("ix_signal_verdict"), "signal", ["verdict"], unique=False)
    op.create_table(
        "snapshot",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "stock_count",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("signal_id", sa.String(), nullable=False),
        sa.Column("short_units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "sku_id"),
    )
    op.create_table(
        "stock_move",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("move_no", sa.Integer(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("from_place", sa.String(), nullable=False),
        sa.Column("to_place", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("from_place <> to_place", name="stock_move_places"),
        sa.CheckConstraint("units between 1 and 1000000000", name="stock_move_units"),
        sa.PrimaryKeyConstraint("stream", "seq", "move_no"),
    )
    op.create_index(op.f("ix_stock_move_sku_id"), "stock_move", ["sku_id"], unique=False)
    op.create_table(
        "supplier_reliability",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("on_time_percent", sa.Integer(), nullable=False),
        sa.Column("mean_delay_days", sa.Integer(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "sku_id"),
    )
    op.create_table(
        "thread",
        sa.Column("thread_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("thread_id"),
    )
    op.create_index(op.f("ix_thread_created_at"), "thread", ["created_at"], unique=False)
    op.create_index(op.f("ix_thread_owner"), "thread", ["owner"], unique=False)
    op.create_table(
        "transfer_order",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("approval_id", sa.Uuid(), nullable=False),
        sa.Column("plan_digest", sa.String(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("depart_on", sa.Date(), nullable=False),
        sa.Column("arrive_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reserved", sa.Boolean(), nullable=False),
        sa.Column("erp_id", sa.String(), nullable=True),
        sa.Column("shipped_units", sa.BigInteger(), nullable=False),
        sa.Column("received_units", sa.BigInteger(), nullable=False),
        sa.Column("lost_units", sa.BigInteger(), nullable=False),
        sa.Column("attention", sa.String(), nullable=True),
        sa.CheckConstraint("origin <> destination", name="transfer_order_ends"),
        sa.CheckConstraint("received_units + lost_units <= units", name="transfer_order_received"),
        sa.CheckConstraint("received_units >= 0 and lost_units >= 0", name="transfer_order_not_negative"),
        sa.CheckConstraint("units between 1 and 1000000000", name="transfer_order_units"),
        sa.PrimaryKeyConstraint("transfer_id"),
    )
    op.create_index(op.f("ix_transfer_order_approval_id"), "transfer_order", ["approval_id"], unique=False)
    op.create_index(op.f("ix_transfer_order_plan_digest"), "transfer_order", ["plan_digest"], unique=False)
    op.create_index("transfer_order_under_way", "transfer_order", ["state"], unique=False)
    op.create_table(
        "access_token",
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["person.user_id"],
        ),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index(op.f("ix_access_token_user_id"), "access_token", ["user_id"], unique=False)
    op.create_table(
        "plan",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("snapshot_digest", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_digest"],
            ["snapshot.digest"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_plan_planned_at"), "plan", ["planned_at"], unique=False)
    op.create_table(
        "receipt",
        sa.Column("receipt_key", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_by", sa.String(), nullable=False),
        sa.CheckConstraint("units between 0 and 1000000000", name="receipt_units"),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["transfer_order.transfer_id"],
        ),
        sa.PrimaryKeyConstraint("receipt_key"),
    )
    op.create_index(op.f("ix_receipt_transfer_id"), "receipt", ["transfer_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["thread.thread_id"],
        ),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index(op.f("ix_run_created_at"), "run", ["created_at"], unique=False)
    op.create_index(op.f("ix_run_thread_id"), "run", ["thread_id"], unique=False)
    op.create_index(
        "run_one_active",
        "run",
        ["thread_id"],
        unique=True,
        postgresql_where=sa.text("status in ('queued', 'running') and kind <> 'resume'"),
    )
    op.create_table(
        "snapshot_of_facts",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"],
            ["snapshot.digest"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "approval_request",
        sa.Column("approval_id", sa.Uuid(), nullable=False),
        sa.Column("plan_digest", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("authors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sites", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("goods_value_minor", sa.BigInteger(), nullable=False),
        sa.Column("saving_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_digest"],
            ["plan.digest"],
        ),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    op.create_index(
        "approval_request_one_pending",
        "approval_request",
        ["plan_digest"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("approval_request_queue", "approval_request", ["status", "expires_at"], unique=False)
    op.create_index(op.f("ix_approval_request_plan_digest"), "approval_request", ["plan_digest"], unique=False)
    op.create_index(op.f("ix_approval_request_thread_id"), "approval_request", ["thread_id"], unique=False)
    op.create_table(
        "negotiation",
        sa.Column("plan_digest", sa.String(), nullable=False),
        sa.Column("record", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_digest"],
            ["plan.digest"],
        ),
        sa.PrimaryKeyConstraint("plan_digest"),
    )
    op.create_table(
        "decision",
        sa.Column("approval_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_digest", sa.String(), nullable=False),
        sa.Column("rejection", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["approval_request.approval_id"],
        ),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    op.execute((Path(__file__).parents[1] / "0001_ledger.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table {table} cascade")
    op.execute("drop function ledger_append, ledger_is_append_only")
