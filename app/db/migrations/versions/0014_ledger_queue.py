"""Who waits for a stream queues before its head, and works out before that what needs no lock."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1]


def upgrade() -> None:
    op.execute((_SQL / "0014_ledger.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    function, mark, _ = (_SQL / "0007_ledger.sql").read_text(encoding="utf-8").partition("end $$;")
    op.execute(function + mark)
