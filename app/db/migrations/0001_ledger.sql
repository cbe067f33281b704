-- Appends one event to its stream, with its stock moves and the balances that follow, in the caller's transaction.
-- The lock on the stream's head is what makes the sequence gap-free and the chain linear; it is held until commit.
create or replace function ledger_append(_stream text, _key text, _body bytea)
returns table (outcome text, event_seq bigint, event_hash bytea) language plpgsql as $$
declare
  document jsonb := convert_from(_body, 'UTF8')::jsonb;
  head ledger_head;
  known ledger_event;
  change record;
begin
  insert into ledger_head (stream, seq, hash) values (_stream, 0, decode(repeat('00', 32), 'hex'))
    on conflict do nothing;
  select * into head from ledger_head h where h.stream = _stream for update;

  select * into known from ledger_event e where e.key = _key;
  if found then
    if known.stream = _stream and convert_from(known.body, 'UTF8')::jsonb - 'at' = document - 'at' then
      return query select 'exists'::text, known.seq, known.hash;
    else
      return query select 'exists_different'::text, known.seq, known.hash;
    end if;
    return;
  end if;

  head.seq := head.seq + 1;
  insert into ledger_event (stream, seq, key, type, occurred_at, body, prev, hash)
    values (_stream, head.seq, _key, document ->> 'type', (document ->> 'at')::timestamptz, _body, head.hash,
            sha256('\x00'::bytea || head.hash || int8send(head.seq) || _body))
    returning hash into head.hash;
  update ledger_head h set seq = head.seq, hash = head.hash where h.stream = _stream;

  insert into stock_move (stream, seq, move_no, sku_id, from_place, to_place, units)
    select _stream, head.seq, m.no, m.move ->> 0, m.move ->> 1, m.move ->> 2, (m.move ->> 3)::bigint
    from jsonb_array_elements(document -> 'moves') with ordinality as m (move, no);

  -- In order of place and SKU, so that two appenders never wait for each other in a circle.
  for change in
    select place, sku_id, sum(units) as units from (
      select from_place as place, sku_id, -units as units from stock_move where stream = _stream and seq = head.seq
      union all
      select to_place, sku_id, units from stock_move where stream = _stream and seq = head.seq
    ) both_ends group by place, sku_id order by place, sku_id
  loop
    update balance b set units = b.units + change.units where b.place = change.place and b.sku_id = change.sku_id;
    if not found then
      insert into balance (place, sku_id, units) values (change.place, change.sku_id, change.units)
        on conflict (place, sku_id) do update set units = balance.units + excluded.units;
    end if;
  end loop;

  return query select 'appended'::text, head.seq, head.hash;
end $$;

create or replace function ledger_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only: % on % is refused', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create or replace trigger ledger_event_append_only before update or delete or truncate on ledger_event
  for each statement execute function ledger_is_append_only();
create or replace trigger stock_move_append_only before update or delete or truncate on stock_move
  for each statement execute function ledger_is_append_only();
