"""Signatures, claims, delegations and budgets of approvals; what superseded a request stands in the request itself."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("approval_request", sa.Column("needed", postgresql.JSONB(), nullable=True))
    op.add_column("approval_request", sa.Column("superseded_by", sa.Uuid(), nullable=True))
    op.create_index("ix_approval_request_superseded_by", "approval_request", ["superseded_by"])
    op.add_column("approval_request", sa.Column("claimed_by", sa.String(), nullable=True))
    op.add_column("approval_request", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("approval_request", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("approval_request", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "approval_request_order", "approval_request",
        ["status", sa.text("(escalated_at is null)"), sa.text("saving_minor desc"), "approval_id"],
    )  # fmt: skip
    op.execute("""
        update approval_request r set superseded_by = (facts ->> 'superseded_by')::uuid
        from (select convert_from(body, 'UTF8')::jsonb -> 'facts' as facts from ledger_event
              where type = 'approval_superseded') e
        where r.approval_id = (facts ->> 'approval_id')::uuid
    """)
    op.create_table(
        "approval_signature",
        sa.Column("approval_id", sa.Uuid(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("signed_by", sa.String(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_digest", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.approval_id"]),
        sa.PrimaryKeyConstraint("approval_id", "authority"),
        sa.UniqueConstraint("approval_id", "signed_by", name="approval_signature_one_each"),
    )
    op.create_table(
        "delegation",
        sa.Column("delegation_id", sa.Uuid(), nullable=False),
        sa.Column("delegator", sa.String(), nullable=False),
        sa.Column("delegate", sa.String(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sites", postgresql.JSONB(), nullable=True),
        sa.Column("value_limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("away", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name="delegation_dates"),
        sa.CheckConstraint("delegate is null or delegate <> delegator", name="delegation_to_another"),
        sa.CheckConstraint("delegate is not null or away", name="delegation_says_something"),
        sa.PrimaryKeyConstraint("delegation_id"),
    )
    op.create_index("ix_delegation_delegator", "delegation", ["delegator"])
    op.create_index("ix_delegation_delegate", "delegation", ["delegate"])
    op.create_table(
        "budget_use",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("goods_value_minor", sa.BigInteger(), nullable=False),
        sa.Column("transport_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer_order.transfer_id"]),
        sa.PrimaryKeyConstraint("transfer_id"),
    )
    op.create_index("ix_budget_use_day", "budget_use", ["day"])
    op.add_column("transfer_order", sa.Column("decided_units", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("transfer_order", "decided_units")
    op.drop_table("budget_use")
    op.drop_table("delegation")
    op.drop_table("approval_signature")
    op.drop_index("approval_request_order", "approval_request")
    for name in ("escalated_at", "reminded_at", "claimed_until", "claimed_by"):
        op.drop_column("approval_request", name)
    op.drop_index("ix_approval_request_superseded_by", "approval_request")
    op.drop_column("approval_request", "superseded_by")
    op.drop_column("approval_request", "needed")
