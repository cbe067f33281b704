"""What each plan is put down to: the llm that formed its request, its prompt and tools, and the solvers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_provenance",
        sa.Column("plan_digest", sa.String(), nullable=False),
        sa.Column("llm", sa.String(), nullable=True),
        sa.Column("temperature_e3", sa.Integer(), nullable=True),
        sa.Column("prompt_digest", sa.String(), nullable=True),
        sa.Column("catalogue_digest", sa.String(), nullable=True),
        sa.Column("solver_versions", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_digest"], ["plan.digest"]),
        sa.PrimaryKeyConstraint("plan_digest"),
    )


def downgrade() -> None:
    op.drop_table("plan_provenance")
