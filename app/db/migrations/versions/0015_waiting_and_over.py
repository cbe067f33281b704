"""When every rule was last asked about an order that waits, and what arrived beyond what had left, as the ERP counts it.

Words that were sealed before each month had a key of its own lie under the key of their
subject: it counts as made now, so that they are kept as long as if they were said now.
"""

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
    op.add_column("transfer_order", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update sealing_key set made_at = now() where wrapped is not null and destroyed_at is null")
    op.create_check_constraint("transfer_order_over", "transfer_order", "over_units >= 0")
    op.execute(_BOOKED)


def downgrade() -> None:
    op.drop_constraint("transfer_order_over", "transfer_order")
    op.drop_column("transfer_order", "looked_at")
    op.drop_column("transfer_order", "over_units")
