"""What arrived beyond what had left stands with the order: the ERP counts it, so the books have to as well."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BOOKED = """
    update transfer_order set over_units = booked.units
    from (
        select facts ->> 'transfer_id' as transfer_id, sum((facts ->> 'over_units')::bigint) as units
        from ledger_event, lateral (select convert_from(body, 'UTF8')::jsonb -> 'facts' as facts) event
        where type = 'transfer_received' and facts ? 'over_units' group by 1
    ) booked
    where booked.transfer_id = transfer_order.transfer_id::text
"""


def upgrade() -> None:
    op.add_column("transfer_order", sa.Column("over_units", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("transfer_order", "over_units", server_default=None)
    op.create_check_constraint("transfer_order_over", "transfer_order", "over_units >= 0")
    op.execute(_BOOKED)


def downgrade() -> None:
    op.drop_constraint("transfer_order_over", "transfer_order")
    op.drop_column("transfer_order", "over_units")
