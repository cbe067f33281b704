"""Stops of a part of the network, and what they hold until people have validated it. The kill switch becomes one of them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stop",
        sa.Column("stop_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=True),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("destination", sa.String(), nullable=True),
        sa.Column("mode", sa.String(), nullable=True),
        sa.Column("sku_class", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("engaged_by", sa.String(), nullable=False),
        sa.Column("engaged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.String(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("stop_id"),
    )
    op.create_index("stop_in_force", "stop", ["engaged_at"], postgresql_where=sa.text("released_at is null"))
    op.add_column("transfer_order", sa.Column("held_by", sa.String(), nullable=True))
    op.create_check_constraint(
        "transfer_order_held", "transfer_order", "held_by is null or state in ('released', 'requested')"
    )
    op.create_index(
        "transfer_order_held_by", "transfer_order", ["held_by"], postgresql_where=sa.text("held_by is not null")
    )
    op.execute("""
        insert into stop (stop_id, reason, engaged_by, engaged_at)
        select gen_random_uuid(), kill_switch_reason, kill_switch_by, coalesce(kill_switch_since, now())
        from governance where kill_switch
    """)
    op.execute("""
        update transfer_order set held_by = stop.stop_id::text from stop where state in ('released', 'requested')
    """)
    for column in ("kill_switch", "kill_switch_reason", "kill_switch_since", "kill_switch_by"):
        op.drop_column("governance", column)


def downgrade() -> None:
    op.add_column("governance", sa.Column("kill_switch", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("governance", sa.Column("kill_switch_reason", sa.String(), nullable=False, server_default=""))
    op.add_column("governance", sa.Column("kill_switch_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("governance", sa.Column("kill_switch_by", sa.String(), nullable=False, server_default=""))
    # A stop of a part becomes one of everything: better too much than a post that somebody has stopped.
    op.execute("""
        update governance set kill_switch = true, kill_switch_reason = stop.reason,
            kill_switch_since = stop.engaged_at, kill_switch_by = stop.engaged_by
        from stop where stop.released_at is null
    """)
    for column in ("kill_switch", "kill_switch_reason", "kill_switch_by"):
        op.alter_column("governance", column, server_default=None)
    op.drop_index("transfer_order_held_by", "transfer_order")
    op.drop_constraint("transfer_order_held", "transfer_order")
    op.drop_column("transfer_order", "held_by")
    op.drop_table("stop")
