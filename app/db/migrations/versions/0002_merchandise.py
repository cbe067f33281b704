"""What a network states about its merchandise: sets, displays, lots, ends of life, markdowns, substitutes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("set_member", "minimum_display", "lot", "end_of_life", "markdown", "substitute")


def upgrade() -> None:
    op.create_table(
        "set_member",
        sa.Column("set_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("set_id", "sku_id"),
    )
    op.create_table(
        "minimum_display",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("shortfall_e4", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("units between 1 and 1000000000", name="minimum_display_units"),
        sa.CheckConstraint("(kind = 'soft') = (shortfall_e4 > 0)", name="minimum_display_cost"),
        sa.PrimaryKeyConstraint("site_id", "sku_id", "kind"),
    )
    op.create_table(
        "lot",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("lot_id", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.CheckConstraint("units between 1 and 1000000000", name="lot_units"),
        sa.PrimaryKeyConstraint("site_id", "sku_id", "lot_id"),
    )
    op.create_table(
        "end_of_life",
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("leave_by", sa.Date(), nullable=False),
        sa.Column("write_off_e4", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("write_off_e4 >= 0", name="end_of_life_write_off"),
        sa.PrimaryKeyConstraint("sku_id", "site_id"),
    )
    op.create_table(
        "markdown",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("proceeds_e4", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("proceeds_e4 >= 0", name="markdown_proceeds"),
        sa.PrimaryKeyConstraint("site_id", "sku_id"),
    )
    op.create_table(
        "substitute",
        sa.Column("sku_id", sa.String(), nullable=False),
        sa.Column("substitute_id", sa.String(), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        sa.CheckConstraint("share_bp between 0 and 10000", name="substitute_share"),
        sa.CheckConstraint("sku_id <> substitute_id", name="substitute_other"),
        sa.PrimaryKeyConstraint("sku_id", "substitute_id"),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
