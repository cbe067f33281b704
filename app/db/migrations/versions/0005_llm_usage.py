"""What the language model uses: one row per call, for the limits of a run and of a person's day."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "llm_usage",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("llm", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_e6", sa.BigInteger(), nullable=False),
        sa.Column("is_estimate", sa.Boolean(), nullable=False),
        sa.CheckConstraint("prompt_tokens >= 0 and completion_tokens >= 0 and cost_e6 >= 0", name="llm_usage_amounts"),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("llm_usage_user_day", "llm_usage", ["user_id", "day"])
    op.create_index("ix_llm_usage_run_id", "llm_usage", ["run_id"])
    op.create_index("ix_llm_usage_day", "llm_usage", ["day"])


def downgrade() -> None:
    op.drop_table("llm_usage")
