"""One order over all events, the Merkle tree over it, its checkpoints, and the keys of sealed fields."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_unplaced",
        sa.Column("no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("no"),
    )
    op.create_table(
        "ledger_leaf",
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("stream", "seq"),
    )
    op.create_table(
        "ledger_node",
        sa.Column("level", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("index", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index"),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("size", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "sealing_key",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.execute((Path(__file__).parents[1] / "0007_ledger.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute((Path(__file__).parents[1] / "0001_ledger.sql").read_text(encoding="utf-8"))
    for table in ("ledger_unplaced", "ledger_leaf", "ledger_node", "ledger_checkpoint", "sealing_key"):
        op.drop_table(table)
