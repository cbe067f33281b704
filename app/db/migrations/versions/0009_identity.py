"""Identities from a directory, browser sessions, service keys, kept answers, and the hard rules of decisions in SQL."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person_identity",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("claims_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["person.user_id"]),
        sa.PrimaryKeyConstraint("issuer", "subject"),
    )
    op.create_index("ix_person_identity_user_id", "person_identity", ["user_id"])
    op.create_table(
        "browser_session",
        sa.Column("session_sha256", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["person.user_id"]),
        sa.PrimaryKeyConstraint("session_sha256"),
    )
    op.create_index("ix_browser_session_user_id", "browser_session", ["user_id"])
    op.create_index("ix_browser_session_expires_at", "browser_session", ["expires_at"])
    op.create_table(
        "login_attempt",
        sa.Column("browser_sha256", sa.String(), nullable=False),
        sa.Column("state_sha256", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("code_verifier", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("browser_sha256"),
    )
    op.create_index("ix_login_attempt_expires_at", "login_attempt", ["expires_at"])
    op.create_table(
        "service_key",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("acts", postgresql.JSONB(), nullable=False),
        sa.Column("sites", postgresql.JSONB(), nullable=True),
        sa.Column("sees_sensitive", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner"], ["person.user_id"]),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index("ix_service_key_owner", "service_key", ["owner"])
    op.create_table(
        "kept_answer",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "idempotency_key"),
    )
    op.create_index("ix_kept_answer_answered_at", "kept_answer", ["answered_at"])
    for statement in HARD_RULES:
        op.execute(statement)


HARD_RULES = (
    """
    create function decision_is_anothers() returns trigger language plpgsql as $$
    begin
        if exists (
            select from approval_request
            where approval_id = new.approval_id and (authors ? new.decided_by or plan_digest <> new.seen_digest)
        ) then
            raise exception 'the decider has a hand in the plan, or decided on another one' using errcode = 'check_violation';
        end if;
        return new;
    end $$
    """,
    """
    create trigger decision_is_anothers before insert or update on decision
    for each row execute function decision_is_anothers()
    """,
    """
    create function order_is_decided() returns trigger language plpgsql as $$
    begin
        if not exists (
            select from decision
            where approval_id = new.approval_id and verdict = 'approve' and seen_digest = new.plan_digest
        ) then
            raise exception 'no decision to approve this plan is on record' using errcode = 'check_violation';
        end if;
        return new;
    end $$
    """,
    """
    create trigger order_is_decided before update of state on transfer_order
    for each row when (new.state = 'requested') execute function order_is_decided()
    """,
)
"""Four eyes, and nothing moves without a decision: what the rules of authorisation say, said again where it is written."""


def downgrade() -> None:
    op.execute("drop trigger order_is_decided on transfer_order")
    op.execute("drop function order_is_decided")
    op.execute("drop trigger decision_is_anothers on decision")
    op.execute("drop function decision_is_anothers")
    for table in ("kept_answer", "service_key", "login_attempt", "browser_session", "person_identity"):
        op.drop_table(table)
