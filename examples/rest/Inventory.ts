/** The items, in SQLite. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Item, type ItemInput } from "./Item.ts"
import { NotFound, SkuTaken } from "./Problems.ts"

/** The file could not be read or written: ours to mend. */
export class InventoryError extends Data.TaggedError("InventoryError")<{ readonly cause: unknown }> {}

/** An item, and how often it was changed. */
export interface Versioned {
  readonly item: Item
  readonly version: number
}

export interface Filter {
  readonly limit: number
  readonly after: number
  readonly name: string
  readonly quantityMin: number
  readonly quantityMax: number
}

interface Row {
  readonly id: number
  readonly version: number
  readonly sku: string
  readonly name: string
  readonly quantity: number
  readonly priceCents: number
  readonly note: string | null
}

const schema = `
  CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL DEFAULT 1,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    priceCents INTEGER NOT NULL,
    note TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS revision (number INTEGER NOT NULL) STRICT;
  INSERT INTO revision SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM revision);
  CREATE TRIGGER IF NOT EXISTS item_added AFTER INSERT ON item BEGIN UPDATE revision SET number = number + 1; END;
  CREATE TRIGGER IF NOT EXISTS item_changed AFTER UPDATE ON item BEGIN UPDATE revision SET number = number + 1; END;
  CREATE TRIGGER IF NOT EXISTS item_removed AFTER DELETE ON item BEGIN UPDATE revision SET number = number + 1; END;
`

// `instr` knows no wildcards: what is looked for is a text.
const list = `
  SELECT * FROM item
  WHERE id > :after AND quantity BETWEEN :quantityMin AND :quantityMax
    AND (:name = '' OR instr(lower(name), lower(:name)) > 0)
  ORDER BY id LIMIT :limit
`

export class Inventory extends Context.Service<
  Inventory,
  {
    /** By number. */
    readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<Item>, InventoryError>
    /** How often any of them was changed. */
    readonly revision: Effect.Effect<number, InventoryError>
    readonly find: (id: number) => Effect.Effect<Versioned, NotFound | InventoryError>
    readonly add: (input: ItemInput) => Effect.Effect<Versioned, SkuTaken | InventoryError>
    /** `undefined` if it is of another version by now. */
    readonly replace: (
      id: number,
      version: number,
      input: ItemInput
    ) => Effect.Effect<Versioned | undefined, SkuTaken | InventoryError>
    /** False if it is of another version by now. */
    readonly remove: (id: number, version: number) => Effect.Effect<boolean, InventoryError>
  }
>()("examples/rest/Inventory") {
  /** Opens the file, and creates it where there is none. */
  static readonly layer = (directory: string): Layer.Layer<Inventory, InventoryError> =>
    Layer.effect(Inventory, make(directory))
}

const make = Effect.fnUntraced(function* (directory: string) {
  const database = yield* Effect.acquireRelease(
    attempt(() => {
      mkdirSync(directory, { recursive: true })
      const opened = new DatabaseSync(join(directory, "inventory.db"))
      opened.exec("PRAGMA journal_mode = WAL")
      opened.exec(schema)
      return opened
    }),
    (opened) => Effect.sync(() => opened.close())
  )
  const listed = database.prepare(list)
  const revised = database.prepare("SELECT number FROM revision")
  const found = database.prepare("SELECT * FROM item WHERE id = ?")
  const added = database.prepare(
    "INSERT INTO item (sku, name, quantity, priceCents, note) VALUES (:sku, :name, :quantity, :priceCents, :note) RETURNING *"
  )
  const replaced = database.prepare(
    `UPDATE item SET version = version + 1, sku = :sku, name = :name, quantity = :quantity, priceCents = :priceCents,
     note = :note WHERE id = :id AND version = :version RETURNING *`
  )
  const removed = database.prepare("DELETE FROM item WHERE id = ? AND version = ?")
  const row = (value: unknown) => value as Row | undefined
  return Inventory.of({
    list: (filter) =>
      attempt(() =>
        (listed.all({ ...filter }) as unknown as ReadonlyArray<Row>).map((one) => versioned(one).item)
      ),
    revision: attempt(() => (revised.get() as { readonly number: number }).number),
    find: (id) =>
      Effect.flatMap(
        attempt(() => row(found.get(id))),
        (one) => (one === undefined ? Effect.fail(new NotFound({ id })) : Effect.succeed(versioned(one)))
      ),
    add: (input) => writing(input.sku, () => versioned(row(added.get(columns(input)))!)),
    replace: (id, version, input) =>
      writing(input.sku, () => {
        const one = row(replaced.get({ id, version, ...columns(input) }))
        return one && versioned(one)
      }),
    remove: (id, version) => attempt(() => removed.run(id, version).changes === 1)
  })
})

const columns = ({ name, note, priceCents, quantity, sku }: ItemInput) => ({
  sku,
  name,
  quantity,
  priceCents,
  note: note ?? null
})

const versioned = ({ note, version, ...others }: Row): Versioned => ({
  item: new Item({ ...others, ...(note === null ? {} : { note }) }),
  version
})

const attempt = <A>(f: () => A): Effect.Effect<A, InventoryError> =>
  Effect.try({ try: f, catch: (cause) => new InventoryError({ cause }) })

/** SQLITE_CONSTRAINT_UNIQUE: there is one such constraint. */
const unique = 2067

const writing = <A>(sku: string, f: () => A): Effect.Effect<A, SkuTaken | InventoryError> =>
  Effect.mapError(attempt(f), (error) =>
    (error.cause as { readonly errcode?: number }).errcode === unique ? new SkuTaken({ sku }) : error
  )
