"""What the saga of a transfer order knows beside its state, and where the ERP and the ledger differ."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint("transfer_order_received", "transfer_order")
    op.drop_constraint("transfer_order_not_negative", "transfer_order")
    op.add_column("transfer_order", sa.Column("damaged_units", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("transfer_order", sa.Column("returned_units", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("transfer_order", sa.Column("events", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("transfer_order", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("receipt", sa.Column("damaged_units", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_check_constraint(
        "transfer_order_received", "transfer_order",
        "received_units + damaged_units + returned_units + lost_units <= shipped_units and shipped_units <= units",
    )  # fmt: skip
    op.create_check_constraint(
        "transfer_order_not_negative", "transfer_order",
        "least(received_units, damaged_units, returned_units, lost_units) >= 0",
    )  # fmt: skip
    op.create_table(
        "erp_difference",
        sa.Column("difference_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("difference_id"),
    )
    op.create_index(
        "erp_difference_open", "erp_difference", ["reference", "kind"], unique=True,
        postgresql_where=sa.text("settled_at is null"),
    )  # fmt: skip
    op.create_table(
        "erp_reading",
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("row_no = 1", name="erp_reading_one_row"),
        sa.PrimaryKeyConstraint("row_no"),
    )


def downgrade() -> None:
    op.drop_table("erp_reading")
    op.drop_table("erp_difference")
    op.drop_constraint("transfer_order_not_negative", "transfer_order")
    op.drop_constraint("transfer_order_received", "transfer_order")
    op.drop_column("receipt", "damaged_units")
    for column in ("asked_at", "events", "returned_units", "damaged_units"):
        op.drop_column("transfer_order", column)
    op.create_check_constraint("transfer_order_received", "transfer_order", "received_units + lost_units <= units")
    op.create_check_constraint(
        "transfer_order_not_negative", "transfer_order", "received_units >= 0 and lost_units >= 0"
    )
