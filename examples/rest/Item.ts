/** What is kept: how many there are of what, and for how much. */
import * as Schema from "effect/Schema"

const text = (charsMax: number) => Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(charsMax))
const count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000_000 }))

/** What a client says of an item. */
export const fields = {
  /** Nothing else has the same. */
  sku: Schema.String.check(Schema.isPattern(/^[A-Z0-9][A-Z0-9-]{0,31}$/)),
  name: text(200),
  quantity: count,
  /** In hundredths of the currency: no fractions of numbers. */
  priceCents: count,
  note: Schema.optionalKey(text(1_000))
}

export class ItemInput extends Schema.Class<ItemInput>("ItemInput")(fields) {}

export class Item extends Schema.Class<Item>("Item")({ id: Schema.Int, ...fields }) {}

/** RFC 7396: what is not there stays, what is null goes. Only a note may go. */
export class ItemPatch extends Schema.Class<ItemPatch>("ItemPatch")({
  sku: Schema.optionalKey(fields.sku),
  name: Schema.optionalKey(fields.name),
  quantity: Schema.optionalKey(fields.quantity),
  priceCents: Schema.optionalKey(fields.priceCents),
  note: Schema.optionalKey(Schema.NullOr(text(1_000)))
}) {}

export const patched = (item: ItemInput, { note = item.note, ...others }: ItemPatch): ItemInput => {
  const { note: _, ...rest } = item
  return new ItemInput({ ...rest, ...others, ...(note === null || note === undefined ? {} : { note }) })
}
