-- Appends one event to its stream, with its stock moves and the balances that follow, in the caller's transaction.
-- The lock on the stream's head is what makes the sequence gap-free and the chain linear; it is held until commit.
-- The event then waits in ledger_unplaced for its position in the order over all streams: a number that was drawn here
-- would say nothing about the order of commits, and an event could slip in below one that was read already.
create or replace function ledger_append(_stream text, _key text, _body bytea)
returns table (outcome text, event_seq bigint, event_hash bytea) language plpgsql as $$
declare
  document jsonb := convert_from(_body, 'UTF8')::jsonb;
  head ledger_head;
  known ledger_event;
  change record;
  moves jsonb;
begin
  select * into head from ledger_head h where h.stream = _stream for update;
  if not found then
    insert into ledger_head (stream, seq, hash) values (_stream, 0, decode(repeat('00', 32), 'hex'))
      on conflict do nothing;
    select * into head from ledger_head h where h.stream = _stream for update;
  end if;

  insert into ledger_event (stream, seq, key, type, occurred_at, body, prev, hash)
    values (_stream, head.seq + 1, _key, document ->> 'type', (document ->> 'at')::timestamptz, _body, head.hash,
            sha256('\x00'::bytea || head.hash || int8send(head.seq + 1) || _body))
    on conflict (key) do nothing
    returning seq, hash into head.seq, head.hash;
  if not found then
    select * into known from ledger_event e where e.key = _key;
    return query select
      case when known.stream = _stream and convert_from(known.body, 'UTF8')::jsonb - 'at' = document - 'at'
        then 'exists' else 'exists_different' end,
      known.seq, known.hash;
    return;
  end if;
  update ledger_head h set seq = head.seq, hash = head.hash where h.stream = _stream;
  insert into ledger_unplaced (stream, seq) values (_stream, head.seq);

  moves := document -> 'moves';
  if moves = '[]'::jsonb then
    return query select 'appended'::text, head.seq, head.hash;
    return;
  end if;
  insert into stock_move (stream, seq, move_no, sku_id, from_place, to_place, units)
    select _stream, head.seq, m.no, m.move ->> 0, m.move ->> 1, m.move ->> 2, (m.move ->> 3)::bigint
    from jsonb_array_elements(moves) with ordinality as m (move, no);

  -- In order of place and SKU, so that two appenders never wait for each other in a circle.
  for change in
    select place, sku_id, sum(units)::bigint as units
    from jsonb_array_elements(moves) as m (move)
    cross join lateral (
      values (move ->> 1, move ->> 0, -(move ->> 3)::bigint), (move ->> 2, move ->> 0, (move ->> 3)::bigint)
    ) as ends (place, sku_id, units)
    group by place, sku_id order by place, sku_id
  loop
    update balance b set units = b.units + change.units where b.place = change.place and b.sku_id = change.sku_id;
    if not found then
      insert into balance (place, sku_id, units) values (change.place, change.sku_id, change.units)
        on conflict (place, sku_id) do update set units = balance.units + excluded.units;
    end if;
  end loop;

  return query select 'appended'::text, head.seq, head.hash;
end $$;

create or replace trigger ledger_leaf_append_only before update or delete or truncate on ledger_leaf
  for each statement execute function ledger_is_append_only();
create or replace trigger ledger_checkpoint_append_only before update or delete or truncate on ledger_checkpoint
  for each statement execute function ledger_is_append_only();

-- Rows that every append changes: with room on their page they change in place, and their indexes do not.
alter table ledger_head set (fillfactor = 50);
alter table balance set (fillfactor = 50);

-- Events from before wait for their positions in an order that keeps that of each stream.
insert into ledger_unplaced (stream, seq)
  select stream, seq from (
    select stream, seq, max(occurred_at) over (partition by stream order by seq) as at from ledger_event
  ) before order by at, stream, seq;
