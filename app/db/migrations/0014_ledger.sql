-- Appends one event to its stream, with its stock moves and the balances that follow, in the caller's transaction.
-- The lock on the stream's head is what makes the sequence gap-free and the chain linear; it is held until commit, so
-- whatever needs neither of them is worked out before.
-- The event then waits in ledger_unplaced for its position in the order over all streams: a number that was drawn here
-- would say nothing about the order of commits, and an event could slip in below one that was read already.
create or replace function ledger_append(_stream text, _key text, _body bytea)
returns table (outcome text, event_seq bigint, event_hash bytea) language plpgsql as $$
declare
  document constant jsonb := convert_from(_body, 'UTF8')::jsonb;
  changes balance[];
  change balance;
  known ledger_event;
begin
  -- In order of place and SKU, so that two appenders never wait for each other in a circle; of one balance what comes
  -- before what goes, so that none is refused for what only passes through.
  select array_agg(row(place, sku_id, units)::balance order by place, sku_id, units desc) into changes
    from jsonb_array_elements(document -> 'moves') as m (move)
    cross join lateral (
      values (move ->> 1, move ->> 0, -(move ->> 3)::bigint), (move ->> 2, move ->> 0, (move ->> 3)::bigint)
    ) as ends (place, sku_id, units);

  select h.seq, h.hash into event_seq, event_hash
    from ledger_head h where h.stream = _stream for update skip locked;
  if not found then
    if exists (select from ledger_head h where h.stream = _stream) then
      -- It is locked. Whoever appends next queues here, and only the first of them at the row itself: a commit wakes
      -- all who wait there. Nobody else holds such a lock, for the server has room for a few thousand in all.
      perform pg_advisory_xact_lock(hashtextextended('ledger/' || _stream, 0));
    else
      insert into ledger_head (stream, seq, hash) values (_stream, 0, decode(repeat('00', 32), 'hex'))
        on conflict do nothing;
    end if;
    select h.seq, h.hash into event_seq, event_hash from ledger_head h where h.stream = _stream for update;
  end if;

  insert into ledger_event (stream, seq, key, type, occurred_at, body, prev, hash)
    values (_stream, event_seq + 1, _key, document ->> 'type', (document ->> 'at')::timestamptz, _body, event_hash,
            sha256('\x00'::bytea || event_hash || int8send(event_seq + 1) || _body))
    on conflict (key) do nothing
    returning 'appended', seq, hash into outcome, event_seq, event_hash;
  if not found then
    select * into known from ledger_event e where e.key = _key;
    outcome := case when known.stream = _stream and convert_from(known.body, 'UTF8')::jsonb - 'at' = document - 'at'
      then 'exists' else 'exists_different' end;
    event_seq := known.seq;
    event_hash := known.hash;
    return next;
    return;
  end if;
  update ledger_head h set seq = event_seq, hash = event_hash where h.stream = _stream;
  insert into ledger_unplaced (stream, seq) values (_stream, event_seq);

  if changes is not null then
    insert into stock_move (stream, seq, move_no, sku_id, from_place, to_place, units)
      select _stream, event_seq, m.no, m.move ->> 0, m.move ->> 1, m.move ->> 2, (m.move ->> 3)::bigint
      from jsonb_array_elements(document -> 'moves') with ordinality as m (move, no);
    foreach change in array changes loop
      update balance b set units = b.units + change.units where b.place = change.place and b.sku_id = change.sku_id;
      if not found then
        insert into balance (place, sku_id, units) values (change.place, change.sku_id, change.units)
          on conflict (place, sku_id) do update set units = balance.units + excluded.units;
      end if;
    end loop;
  end if;
  return next;
end $$;
