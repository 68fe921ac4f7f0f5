/** A line editor: keys in; what a terminal shows of what comes out, on a small screen that is drawn by hand. */
import { assert, describe, it } from "@effect/vitest"
import * as Editor from "../../src/terminal/LineEditorSession.ts"
import * as History from "../../src/terminal/LineHistorySession.ts"
import { type Key, press, text, TerminalKeysDecoder } from "../../src/terminal/TerminalKeysWire.ts"
import { characters, widthOf, widthOfText } from "../../src/terminal/TerminalWidthWire.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"
import { Screen } from "./screen.ts"

/** An editor at a screen; `type` takes what a terminal sends. */
class Desk {
  readonly screen: Screen
  readonly results: Array<Editor.Action> = []
  state: Editor.State
  private readonly decoder = new TerminalKeysDecoder()

  constructor(options: Editor.Options = {}) {
    const columns = options.columns ?? 80
    this.screen = new Screen(columns)
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
    expected.write(`${shown}${Editor.lineOf(this.state)}`)
    assert.strictEqual(this.screen.last(expected.rows.length), expected.text())
    const cursor = new Screen(this.state.columns)
    cursor.write(`${shown}${before.join("")}`)
    const down = this.screen.lastRow - (expected.rows.length - 1)
    assert.deepStrictEqual(this.screen.cursor(-down), cursor.cursor(0))
  }
}

const up = "\x1b[A"
const down = "\x1b[B"
const right = "\x1b[C"
const left = "\x1b[D"

describe("keys", () => {
  const decode = (typed: string | Uint8Array) => new TerminalKeysDecoder().push(Buffer.from(typed as string))

  it("text, controls, sequences of xterm, VT and Linux", () => {
    for (const [typed, expected] of [
      ["añ漢", [text("añ漢")]],
      ["\r", [press("enter")]],
      ["\r\n", [press("enter")]],
      ["\r\0", [press("enter")]],
      ["\n\n", [press("enter"), press("enter")]],
      ["\r\r", [press("enter"), press("enter")]],
      ["\x01", [press("a", { ctrl: true })]],
      ["\x7f\b", [press("backspace"), press("backspace")]],
      ["\x1b[A\x1bOA", [press("up"), press("up")]],
      ["\x1b[1;5C", [press("right", { ctrl: true })]],
      ["\x1b[1;3D", [press("left", { alt: true })]],
      ["\x1b[3~\x1b[H\x1b[4~", [press("delete"), press("home"), press("end")]],
      ["\x1bb\x1b\x7f", [press("b", { alt: true }), press("backspace", { alt: true })]],
      ["\x1b[200~a\x1b[201~", [text("a")]],
      ["\x1b[99999999999999999999999999999999999999999999Ax", [text("x")]],
      ["a\x1b", [text("a")]],
      // What is not text never becomes it.
      ["a\u202eb\u2066c\u0085d", [text("abcd")]]
    ] as const) {
      assert.deepStrictEqual(decode(typed), expected, JSON.stringify(typed))
    }
    const waiting = new TerminalKeysDecoder()
    assert.deepStrictEqual(
      [waiting.push(Uint8Array.of(27)), waiting.waits, waiting.flush(), waiting.waits],
      [[], true, [press("escape")], false]
    )
  })

  it("law: however they are cut, keys are the same; fuzzing: nothing throws", () => {
    const joined = (keys: ReadonlyArray<Key>) => {
      const all: Array<Key> = []
      for (const key of keys) {
        const last = all.at(-1)
        if (key._tag === "Text" && last?._tag === "Text") all[all.length - 1] = text(last.text + key.text)
        else all.push(key)
      }
      return all
    }
    const words = ["\x1b", "[", "O", "1;5", "A", "~", "\r", "\n", "\0", "漢", "é", "\xff", "x"]
    fuzz({ words, examples: ["\x1b[1;5Cabc\r\n", "\x1b[200~"], inputs: inputsCount(5_000) }, (input) => {
      const cut = new TerminalKeysDecoder()
      const pieces = [...input].flatMap((byte) => cut.push(Uint8Array.of(byte)))
      assert.deepStrictEqual(joined(pieces), joined(decode(input)))
    })
  })
})

describe("width", () => {
  it("of characters as people take them", () => {
    for (const [character, width] of [
      ["a", 1],
      ["é", 1],
      ["e\u0301", 1],
      ["漢", 2],
      ["ｶ", 1],
      ["Ａ", 2],
      ["한", 2],
      ["😀", 2],
      ["👨‍👩‍👧", 2],
      ["❤️", 2],
      ["🇩🇪", 2],
      ["\u200b", 0],
      ["\u0301", 0]
    ] as const) {
      assert.deepStrictEqual(characters(character), [character])
      assert.strictEqual(widthOf(character), width, character)
    }
    assert.strictEqual(widthOfText("漢字 e\u0301x"), 7)
  })
})

describe("a line", () => {
  const edits = (typed: string): string => {
    const desk = new Desk({ prompt: "> " })
    desk.type(typed)
    desk.agrees()
    return desk.line
  }

  it("is written, moved in, and changed", () => {
    for (const [typed, line] of [
      ["abc", "abc|"],
      [`abc${left}${left}X`, "aX|bc"],
      ["abc\x01X\x05Y", "Xabc|Y".replace("|", "") + "|"],
      [`ab${left}${left}${left}${right}c`, "ac|b"],
      ["abc\x7f", "ab|"],
      [`abc${left}\x04`, "ab|"],
      [`abc\x01\x1b[3~`, "|bc"],
      ["漢字\x02x", "漢x|字"],
      // A mark joins the character before it, and goes with it.
      ["e\u0301\x7f", "|"],
      ["e", "e|"],
      ["ab\x14", "ba|"],
      ["one two\x1bb", "one |two"],
      ["one two\x1bb\x1bbX", "X|one two"],
      [`one two\x01\x1bf`, "one| two"],
      ["a\x1b[99z", "a|"]
    ] as const) {
      assert.strictEqual(edits(typed), line, JSON.stringify(typed))
    }
  })

  it("is killed and yanked", () => {
    for (const [typed, line] of [
      ["one two\x17", "one |"],
      ["one two\x17\x19\x19", "one twotwo|"],
      ["one two\x15\x19", "one two|"],
      ["one two\x01\x0b\x19", "one two|"],
      // Killing again adds to it.
      ["one two\x17\x17\x19", "one two|"],
      ["one two\x01\x1bd\x1bd\x19", "one two|"],
      // An older one instead.
      ["one\x15two\x15\x19\x1by", "one|"],
      ["one\x15two\x15\x19\x1by\x1by", "two|"],
      ["\x19", "|"],
      ["a\x1by", "a|"]
    ] as const) {
      assert.strictEqual(edits(typed), line, JSON.stringify(typed))
    }
  })

  it("is entered, given up, ended", () => {
    const desk = new Desk({ prompt: "> " })
    desk.type(`ab${left}c\r`)
    assert.deepStrictEqual(desk.results, [{ _tag: "Line", line: "acb" }])
    assert.strictEqual(desk.screen.text(), "> acb\n")
    desk.type("x\x03")
    assert.deepStrictEqual(desk.results.at(-1), { _tag: "Interrupt" })
    desk.type("\x04")
    assert.deepStrictEqual(desk.results.at(-1), { _tag: "End" })
  })

  it("is no longer than it may be", () => {
    const desk = new Desk()
    desk.type("x".repeat(Editor.lineUnitsMax)).type("y")
    assert.strictEqual(Editor.lineOf(desk.state), "x".repeat(Editor.lineUnitsMax))
    desk.keys([text("\u0301".repeat(5000))])
    assert.strictEqual(Editor.lineOf(desk.state).length, Editor.lineUnitsMax)
  })

  it("is not shown, nor remembered, where it is hidden", () => {
    const desk = new Desk({ prompt: "Password: ", isHidden: true })
    desk.type(`secret${left}X\x17\x19\x12\t\x1b[A\r`)
    assert.strictEqual(desk.screen.text(), "Password: \n")
    assert.notInclude(JSON.stringify([desk.state.history, desk.state.kills]), "secre")
  })

  it("is drawn anew above what somebody says, and when the screen changes", () => {
    const desk = new Desk({ prompt: "> ", columns: 10 })
    desk.type(`abcdefghijkl${left}${left}`)
    desk.perform(Editor.say(desk.state, "bob: hello\n"))
    assert.strictEqual(desk.screen.text(), "bob: hello\n> abcdefgh\nijkl")
    desk.agrees()
    desk.type("X")
    desk.agrees()
  })
})

describe("the history", () => {
  const desk = () => new Desk({ prompt: "> ", history: History.make(["make", "make test", "ls"]) })

  it("is gone through; what was being written is kept", () => {
    const at = desk()
    at.type("draft")
    for (const [typed, line] of [
      [up, "ls|"],
      [up, "make test|"],
      [up, "make|"],
      [up, "make|"],
      [down, "make test|"],
      [`${down}${down}`, "draft|"],
      ["\x1b<", "make|"],
      ["\x1b>", "draft|"]
    ] as const) {
      at.type(typed)
      at.agrees()
      assert.strictEqual(at.line, line)
    }
  })

  it("remembers what was entered: no blanks, nothing twice, so many", () => {
    let history = History.make([], 3)
    for (const line of ["a", "a", "", " secret", "b", "c", "d"]) history = History.add(history, line)
    assert.deepStrictEqual(history.lines, ["b", "c", "d"])
  })

  it("is looked through", () => {
    const at = desk()
    at.type("\x12mak")
    at.agrees()
    assert.strictEqual(at.line, "make test|")
    at.type("\x12")
    assert.strictEqual(at.line, "make|")
    at.type("e t")
    at.agrees()
    at.type("\x07")
    at.agrees()
    assert.strictEqual(at.line, "|")
    at.type("\x12ls\r")
    assert.deepStrictEqual(at.results, [{ _tag: "Line", line: "ls" }])
  })
})

describe("completion", () => {
  const words = ["help", "hello", "quit"]
  const asked = (typed: string) => {
    const desk = new Desk({ prompt: "> " })
    desk.type(typed)
    return desk
  }
  const answered = (desk: Desk): Desk => {
    const action = desk.results.pop()
    assert.strictEqual(action?._tag, "Complete")
    if (action?._tag !== "Complete") return desk
    const found = words.filter((word) => word.startsWith(action.before))
    const [state, actions] = Editor.complete(desk.state, found, action.before.length, action.isAgain)
    desk.state = state
    desk.perform(actions)
    desk.agrees()
    return desk
  }

  it("writes what is certain; asked again, shows all", () => {
    assert.strictEqual(answered(asked("q\t")).line, "quit |")
    const desk = answered(asked("h\t"))
    assert.strictEqual(desk.line, "hel|")
    answered(desk.type("\t"))
    assert.strictEqual(desk.line, "hel|")
    assert.include(desk.screen.text(), "help   hello\n> hel")
    assert.strictEqual(answered(asked("x\t")).line, "x|")
  })
})

describe("fuzzing", () => {
  it("whatever is typed, the screen shows the line, and the cursor is in its place", () => {
    const below = numbers(11)
    const typing = ["a", "bc ", "漢", "e\u0301", "😀", " "]
    const moving = [
      left,
      right,
      up,
      down,
      "\x01",
      "\x05",
      "\x02",
      "\x06",
      "\x1bb",
      "\x1bf",
      "\x12",
      "\x07",
      "\t"
    ]
    const changing = ["\x7f", "\x04", "\x0b", "\x15", "\x17", "\x19", "\x14", "\x1bd", "\x1by"]
    const strokes = [...typing, ...moving, ...changing]
    const count = Math.ceil(inputsCount(5_000) / 50)
    let checked = 0
    for (let i = 0; i < count; i++) {
      const desk = new Desk({
        prompt: "> ",
        columns: 8 + below(12),
        history: History.make(["one", "漢字 and more of it", "two words"])
      })
      let typed = ""
      for (let j = 0; j < 50; j++) {
        const stroke = strokes[below(strokes.length)]!
        typed += stroke
        desk.type(stroke)
        if (desk.results.at(-1)?._tag === "End") break
        try {
          desk.agrees()
          checked++
        } catch (error) {
          throw new Error(`after ${JSON.stringify(typed)} in ${desk.state.columns} columns`, { cause: error })
        }
      }
    }
    assert.isAbove(checked, count)
  })

  it("a line as long as it may be costs little, and what is sent is bounded", () => {
    const desk = new Desk({ columns: 80 })
    desk.type("x".repeat(4_000)).type("\x01")
    const before = cpuMillis()
    let sent = 0
    for (let i = 0; i < 50; i++) {
      const [state, actions] = Editor.step(desk.state, text("y"))
      desk.state = state
      for (const action of actions) if (action._tag === "Write") sent += action.text.length
    }
    assert.isBelow(cpuMillis() - before, 2_000)
    assert.isBelow(sent / 50, Editor.lineUnitsMax * 2)
  })
})
