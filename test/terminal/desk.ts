/** An editor at a small screen: what is typed, and what is seen. */
import { assert } from "@effect/vitest"
import * as Editor from "../../src/terminal/LineEditorSession.ts"
import { type Key, TerminalKeysDecoder } from "../../src/terminal/TerminalKeysWire.ts"
import { Screen } from "./screen.ts"

/** An editor at a screen; `type` takes what a terminal sends. */
export class Desk {
  readonly screen: Screen
  readonly results: Array<Editor.Action> = []
  state: Editor.State
  private readonly decoder = new TerminalKeysDecoder()

  constructor(options: Editor.Options = {}) {
    const columns = options.columns ?? 80
    this.screen = new Screen(columns, options.rows)
    const [state, actions] = Editor.begin({ ...options, columns })
    this.state = state
    this.perform(actions)
  }

  perform(actions: ReadonlyArray<Editor.Action>): void {
    for (const action of actions) {
      if (action._tag === "Write") this.screen.write(action.text)
      else this.results.push(action)
    }
  }

  keys(keys: ReadonlyArray<Key>): this {
    for (const key of keys) {
      const [state, actions] = Editor.step(this.state, key)
      this.state = state
      this.perform(actions)
    }
    return this
  }

  type(typed: string): this {
    return this.keys(this.decoder.push(new TextEncoder().encode(typed)))
  }

  /** The line with `|` where the cursor is. */
  get line(): string {
    return `${this.state.before.join("")}|${this.state.after.join("")}`
  }

  /** What is seen is what the state says, and the cursor is where it belongs. */
  agrees(): void {
    const { before, prompt, search } = this.state
    const shown = search === undefined ? prompt : `(search: ${search.text}) `
    const expected = new Screen(this.state.columns)
    expected.write(`${shown}${Editor.lineOf(this.state)}`.replaceAll("\n", "\r\n"))
    const cursor = new Screen(this.state.columns)
    cursor.write(`${shown}${before.join("")}`.replaceAll("\n", "\r\n"))
    const [row, column] = cursor.cursor(0)
    if (expected.rows.length + 1 >= this.state.rows) return agreesInPart(this.screen, expected, [row, column])
    assert.strictEqual(this.screen.last(expected.rows.length), expected.text())
    const down = this.screen.lastRow - expected.lastRow
    assert.deepStrictEqual(this.screen.cursor(-down), [row, column])
  }
}

/** Longer than the screen is high: the row with the cursor and those around it are seen, and the cursor is where it belongs. */
const agreesInPart = (screen: Screen, expected: Screen, [row, column]: readonly [number, number]): void => {
  const [shownRow, shownColumn] = screen.cursor(0)
  assert.strictEqual(shownColumn, column)
  const seen = screen.text().split("\n")
  const all = expected.text().split("\n")
  for (const by of [-1, 0, 1]) {
    if (row + by >= 0 && row + by < all.length && shownRow + by < seen.length)
      assert.strictEqual(seen[shownRow + by], all[row + by], `row ${by}`)
  }
}
