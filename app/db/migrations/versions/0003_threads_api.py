"""What clients note on threads and runs, and who asked a run to stop."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("thread", "run"):
        nothing = sa.text("'{}'::jsonb")
        op.add_column(table, sa.Column("labels", postgresql.JSONB(), server_default=nothing, nullable=False))
    op.add_column("run", sa.Column("cancel_asked_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "cancel_asked_by")
    for table in ("run", "thread"):
        op.drop_column(table, "labels")
