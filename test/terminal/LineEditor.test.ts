/** A line editor: keys in; what a terminal shows of what comes out, on a small screen that is drawn by hand. */
import { assert, describe, it } from "@effect/vitest"
import * as Editor from "../../src/terminal/LineEditorSession.ts"
import * as History from "../../src/terminal/LineHistorySession.ts"
import { text } from "../../src/terminal/TerminalKeysWire.ts"
import * as TerminalText from "../../src/terminal/TerminalTextWire.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import { inputsCount, numbers } from "../support/randomBytes.ts"
import { Desk } from "./desk.ts"
import { Screen } from "./screen.ts"

const up = "\x1b[A"
const down = "\x1b[B"
const right = "\x1b[C"
const left = "\x1b[D"

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
      ["a\x1b[99z", "a|"],
      // Insert: over what stands there, and back.
      [`abc${left}${left}\x1b[2~xy\x1b[2~z`, "axyz|"],
      [`abcd\x01\x1b[2~x\x1b[2~y`, "xy|bcd"]
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

  it("is had back: words that were typed, what was killed, yanked, pasted, found", () => {
    for (const [typed, line] of [
      ["one two three\x1f", "one two |"],
      ["one two three\x1f\x1f", "one |"],
      ["one two three\x1f\x1f\x1f", "|"],
      ["one two three\x1f\x1f\x1f\x1f", "|"],
      ["one two\x17\x1f", "one two|"],
      ["one two\x01\x0b\x19\x1f", "|"],
      ["one two\x01\x0b\x19\x1f\x1f", "|one two"],
      [`ab${left}\x04\x1f`, "a|b"],
      ["a\x1b[200~b c\x1b[201~\x1f", "a|"],
      [`ab${left}\x7f\x7f\x1f`, "a|b"],
      ["ab\x14\x1f", "ab|"],
      ["a\x1fb\x1f", "|"],
      // What moved only has nothing to be had back.
      [`one two${left}${left}\x1f`, "one |"]
    ] as const) {
      const desk = new Desk({ prompt: "> " })
      // As it is typed: a letter at a time.
      for (const key of typed) {
        desk.type(key)
        desk.agrees()
      }
      assert.strictEqual(desk.line, line, JSON.stringify(typed))
    }
    // As many as there is room for.
    const desk = new Desk()
    for (let i = 0; i < 600; i++) desk.type("ab \x19\x17")
    assert.isAtMost(desk.state.undos.length, 200)
    desk.type("x".repeat(2_000))
    for (let i = 0; i < 300; i++) desk.type("\x14")
    const units = desk.state.undos.reduce((sum, { line }) => sum + line.length, 0)
    assert.isAtMost(units, 65_536)
  })

  it("takes what is pasted as text: no line is entered, no key is pressed", () => {
    const paste = (text: string) => `\x1b[200~${text}\x1b[201~`
    for (const [typed, line] of [
      [paste("rm -rf\rls\r"), "rm -rf ls|"],
      [paste("a\r\nb\n\nc"), "a b  c|"],
      [paste("a\tb"), "a b|"],
      [`x${paste("\x03\x04\x15y")}z`, "xyz|"],
      [paste("\x1b[A\x1b[31mred\x1b[0m"), "[A[31mred[0m|"],
      [paste("\x1b[20\x1b[201x\x1b"), "[20[201x|"],
      [paste(paste("a")), "[200~a|"],
      [paste("\u202eevil\u0085\ud800"), "evil|"],
      [`ab${left}${paste("漢字")}`, "a漢字|b"],
      // One that does not end is text up to its end.
      ["\x1b[200~a\r\x03", "a|"]
    ] as const) {
      assert.strictEqual(edits(typed), line, JSON.stringify(typed))
    }
    const desk = new Desk({ history: History.make(["make test"]) })
    desk.type(`\x12${paste("make\r")}`)
    assert.deepStrictEqual([desk.results, desk.line], [[], "make test|"])
  })

  it("has lines in it where it may: they are pasted, or written by Alt-Enter", () => {
    const desk = new Desk({ prompt: "> ", columns: 10, isMultiline: true })
    desk.type("if (x) {\x1b\r  y()\x1b\r}")
    desk.agrees()
    assert.strictEqual(desk.screen.text(), "> if (x) {\n  y()\n}")
    desk.type(`${left}${left}${left}!`)
    desk.agrees()
    assert.strictEqual(desk.line, "if (x) {\n  y(!|)\n}")
    desk.type("\x01\x1b[200~a\nb\n\x1b[201~")
    desk.agrees()
    desk.type("\r")
    assert.deepStrictEqual(desk.results, [{ _tag: "Line", line: "a\nbif (x) {\n  y(!)\n}" }])
    // A line full to its last column, and one more.
    const full = new Desk({ columns: 8, isMultiline: true })
    full.type("12345678\x1b\r12345678\x1b\r")
    full.agrees()
    full.type(`${left}${left}x`)
    full.agrees()
    // What has lines comes back as blanks where there can be none.
    const single = new Desk({ history: full.state.history, kills: ["a\nb"] })
    single.type("\x19")
    assert.strictEqual(single.line, "a b|")
    assert.deepStrictEqual(new Desk().type("a\x1b\r").results, [{ _tag: "Line", line: "a" }])
  })

  it("has a prompt in colours, which take no room", () => {
    const prompt = TerminalText.formatLine(
      [{ text: "root", color: "red", bold: true }, "@", { text: "h\x1b[2J\n", color: 200 }, "> "],
      true
    )
    assert.strictEqual(prompt, "\x1b[1;31mroot\x1b[0m@\x1b[38;5;200mh\\x1b[2J\\n\x1b[0m> ")
    const desk = new Desk({ prompt, columns: 24 })
    desk.type("abcdefghi")
    desk.agrees()
    assert.strictEqual(desk.screen.text(), "root@h\\x1b[2J\\n> abcdefg\nhi")
    desk.type(`${left}${left}${left}${left}X`)
    desk.agrees()
    assert.strictEqual(
      TerminalText.format({ text: "a\n\tb", background: "bright-blue" }, true),
      "\x1b[104ma\n\tb\x1b[0m"
    )
    assert.strictEqual(
      TerminalText.format([{ text: "a\rb", color: "red" }, "\x07"], false, "\r\n"),
      "a\r\nb\\x07"
    )
    assert.strictEqual(TerminalText.format({ text: "x", color: 256 }, true), "x")
  })

  it("longer than the screen is high is shown around the cursor, and as a whole when it is entered", () => {
    const desk = new Desk({ prompt: "> ", columns: 10, rows: 4 })
    const line = Array.from({ length: 80 }, (_, i) => String.fromCharCode(97 + (i % 26))).join("")
    desk.type(line)
    desk.agrees()
    for (let i = 0; i < 80; i++) {
      desk.type(left)
      desk.agrees()
    }
    desk.type(`\x1bfX\x05Y\r`)
    assert.strictEqual(desk.results.length, 1)
    assert.isTrue(desk.screen.text().replaceAll("\n", "").endsWith(`> ${line}XY`))
  })

  it("is drawn anew when the screen has another size, and erases nobody else's rows", () => {
    for (const line of ["abcdefghijklmnopqr", "abcdefghijklmn"]) {
      for (const columns of [5, 8, 20, 40]) {
        const desk = new Desk({ prompt: "> ", columns: 10 })
        desk.type(line)
        const [state, actions] = Editor.resize(desk.state, { columns, rows: 10 })
        assert.strictEqual(Editor.lineOf(state), line)
        // Behind a full row the cursor is on the next one.
        const edge = line.length === 18 ? "\r\n" : ""
        // Some terminals wrap their rows anew, others leave them as they are.
        for (const seen of [`> ${line}`, `> ${line.slice(0, 8)}\r\n${line.slice(8)}`]) {
          const screen = new Screen(Math.max(columns, 8))
          screen.write(`above\r\n${seen}${edge}`)
          for (const action of actions) if (action._tag === "Write") screen.write(action.text)
          const text = screen.text()
          assert.isTrue(text.startsWith("above\n"), text)
          assert.isTrue(text.replaceAll("\n", "").endsWith(`> ${line}`), text)
        }
      }
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
    at.type("draft\x12mak\x07")
    at.agrees()
    assert.strictEqual(at.line, "draft|")
    at.type("\x15\x12ls\r")
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
    const changing = ["\x7f", "\x04", "\x0b", "\x15", "\x17", "\x19", "\x14", "\x1bd", "\x1by", "\x1f"]
    const more = ["\x1b[200~a\rb\x1b[201~", "\x1b\r", "\x1f"]
    const strokes = [...typing, ...moving, ...changing, ...more]
    const count = Math.ceil(inputsCount(5_000) / 50)
    let checked = 0
    for (let i = 0; i < count; i++) {
      const desk = new Desk({
        prompt: "> ",
        columns: 8 + below(12),
        rows: below(2) === 0 ? 5 + below(3) : 100,
        isMultiline: i % 3 === 0,
        history: History.make(["one", "漢字 and more of it", "two words"])
      })
      let typed = ""
      for (let j = 0; j < 50; j++) {
        const stroke = strokes[below(strokes.length)]!
        typed += stroke
        desk.type(stroke)
        if (desk.results.at(-1)?._tag === "End") break
        if (desk.results.at(-1)?._tag === "Line") {
          desk.results.length = 0
          desk.perform(Editor.begin({ ...desk.state })[1])
        }
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
