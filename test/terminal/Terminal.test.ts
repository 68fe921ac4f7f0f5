/** A terminal over a bare connection, which is neither telnet nor SSH: lines, words above them, interrupts, sizes. In memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Terminal from "../../src/terminal/Terminal.ts"
import { aheadMax } from "../../src/terminal/TerminalInput.ts"
import * as TerminalScreen from "../../src/terminal/TerminalScreen.ts"
import { pairOn, world } from "../memory/pair.ts"
import { now } from "../protocol/serving.ts"
import { Screen } from "./screen.ts"

/** Somebody who types at a screen, and a program that has the terminal. */
const desk = Effect.fnUntraced(function* (options: TerminalScreen.TransportOptions = {}) {
  const { network, reactor } = yield* world()
  const { client, closeClient, server } = yield* pairOn(reactor)
  const screen = new Screen(80)
  const sent: Array<string> = []
  const utf8 = new TextDecoder()
  yield* Effect.forkScoped(
    client.receiveEach((bytes) =>
      Effect.sync(() => {
        const text = utf8.decode(bytes, { stream: true })
        sent.push(text)
        screen.write(text)
      })
    ),
    now
  )
  return {
    terminal: Terminal.make(TerminalScreen.fromTransport(server, options)),
    screen,
    sent: () => sent.join(""),
    hangUp: closeClient,
    settled: network.settled,
    type: (text: string) => Effect.andThen(client.send(text), network.settled),
    end: Effect.andThen(client.end, network.settled),
    abort: Effect.andThen(client.abort, network.settled)
  }
})

const xterm = { kind: () => "xterm" }

describe("lines", () => {
  it.effect(
    "are read and said, in colours where the terminal has any; pastes are marked while a line is read",
    () =>
      Effect.gen(function* () {
        for (const [options, isFancy] of [
          [xterm, true],
          [{ kind: () => "dumb" }, false],
          [{}, false]
        ] as const) {
          const { screen, sent, terminal, type } = yield* desk(options)
          const reading = yield* Effect.forkChild(
            terminal.readLine({ prompt: [{ text: "bob\x1b[2J", color: "green" }, "> "] }),
            now
          )
          yield* type("one\x1b[200~\rtwo\r\x1b[201~")
          yield* terminal.print({ text: "eve: hi\x07", color: "red" })
          yield* type("!\r")
          assert.deepStrictEqual(yield* Fiber.join(reading), { _tag: "Line", line: "one two!" })
          yield* terminal.print("done")
          yield* type("")
          assert.strictEqual(screen.text(), "eve: hi\\x07\nbob\\x1b[2J> one two!\ndone\n")
          assert.strictEqual(sent().includes("\x1b[32mbob"), isFancy)
          assert.deepStrictEqual(
            screen.modes.filter((mode) => mode.startsWith("[?")),
            isFancy ? ["[?2004h", "[?2004l"] : []
          )
        }
      }).pipe(Effect.scoped)
  )

  it.effect("that are not waited for to their end leave the terminal as it was", () =>
    Effect.gen(function* () {
      const { screen, settled, terminal, type } = yield* desk(xterm)
      const reading = yield* Effect.forkChild(terminal.readLine({ prompt: "> " }), now)
      yield* type("li")
      yield* Fiber.interrupt(reading)
      yield* settled
      assert.deepStrictEqual(screen.modes, ["[?2004h", "[?2004l"])
      // What was typed since then is of the next one.
      yield* type("ne\r")
      assert.deepStrictEqual(yield* terminal.readLine(), { _tag: "Line", line: "ne" })
    }).pipe(Effect.scoped)
  )

  it.effect("what is remembered from elsewhere controls no terminal", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { server } = yield* pairOn(reactor)
      const terminal = Terminal.make(TerminalScreen.fromTransport(server), {
        history: ["\x1b]0;x\x07", "a\nb"]
      })
      assert.deepStrictEqual(terminal.history(), ["\\x1b]0;x\\x07", "a\nb"])
    }).pipe(Effect.scoped)
  )

  it.effect("end with the input; what was typed before it is read", () =>
    Effect.gen(function* () {
      const { end, terminal, type } = yield* desk()
      yield* type("one\r")
      yield* end
      assert.deepStrictEqual(yield* terminal.readLine(), { _tag: "Line", line: "one" })
      assert.deepStrictEqual(yield* terminal.readLine(), { _tag: "End" })
      assert.deepStrictEqual(yield* terminal.attend(terminal.readLine()), { _tag: "End" })
    }).pipe(Effect.scoped)
  )
})

describe("what runs", () => {
  it.effect(
    "is interrupted by ^C, though nobody reads; what was typed ahead is forgotten, what came behind is read",
    () =>
      Effect.gen(function* () {
        const { screen, settled, terminal, type } = yield* desk()
        let interrupted = 0
        const command = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
        const running = yield* Effect.forkChild(terminal.run(command), now)
        yield* type("ahead\r")
        assert.strictEqual(running.pollUnsafe(), undefined)
        yield* type("\x03behind\r")
        assert.deepStrictEqual([yield* Fiber.join(running), interrupted], [Option.none(), 1])
        yield* settled
        assert.strictEqual(screen.text(), "^C\n")
        assert.deepStrictEqual(yield* terminal.readLine(), { _tag: "Line", line: "behind" })
        assert.deepStrictEqual(yield* terminal.run(Effect.succeed(1)), Option.some(1))
      }).pipe(Effect.scoped)
  )

  it.effect("is told, where it wants to be; ^C that came with its own line counts", () =>
    Effect.gen(function* () {
      const { terminal, type } = yield* desk()
      const told = yield* Deferred.make<string>()
      const onInterrupt = Effect.asVoid(Deferred.succeed(told, "stop"))
      yield* type("go\r\x03next\r")
      assert.deepStrictEqual(yield* terminal.readLine(), { _tag: "Line", line: "go" })
      assert.deepStrictEqual(yield* terminal.run(Deferred.await(told), { onInterrupt }), Option.some("stop"))
      assert.deepStrictEqual(yield* terminal.readLine(), { _tag: "Line", line: "next" })
    }).pipe(Effect.scoped)
  )

  it.effect("may read lines: ^C is the line's then; of two, the inner one is interrupted", () =>
    Effect.gen(function* () {
      const { terminal, type } = yield* desk()
      const command = Effect.gen(function* () {
        const sure = yield* terminal.readLine({ prompt: "sure? " })
        const inner = yield* terminal.run(Effect.never)
        return [sure._tag, Option.isNone(inner), yield* terminal.readLine()] as const
      })
      const running = yield* Effect.forkChild(terminal.run(command), now)
      yield* type("y\x03")
      yield* type("\x03")
      yield* type("last\r")
      assert.deepStrictEqual(
        yield* Fiber.join(running),
        Option.some(["Interrupt", true, { _tag: "Line", line: "last" }] as const)
      )
    }).pipe(Effect.scoped)
  )

  it.effect("ends when the connection is lost, not when its input ends; its own failure is its own", () =>
    Effect.gen(function* () {
      const lost = yield* desk()
      const running = yield* Effect.forkChild(Effect.flip(lost.terminal.run(Effect.never)), now)
      yield* lost.abort
      assert.strictEqual((yield* Fiber.join(running))._tag, "TransportError")

      const ended = yield* desk()
      const go = yield* Deferred.make<number>()
      const waiting = yield* Effect.forkChild(ended.terminal.run(Deferred.await(go)), now)
      yield* ended.end
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* Deferred.succeed(go, 7)
      assert.deepStrictEqual(yield* Fiber.join(waiting), Option.some(7))
      assert.strictEqual(yield* Effect.flip(ended.terminal.run(Effect.fail("mine"))), "mine")
    }).pipe(Effect.scoped)
  )

  it.effect("does not take the input from who reads a line beside it", () =>
    Effect.gen(function* () {
      const { terminal, type } = yield* desk()
      const reading = yield* Effect.forkChild(terminal.readLine(), now)
      const running = yield* Effect.forkChild(terminal.run(Effect.never), now)
      yield* type("li")
      yield* type("ne\r\x03")
      assert.deepStrictEqual(yield* Fiber.join(reading), { _tag: "Line", line: "line" })
      yield* type("\x03")
      assert.deepStrictEqual(yield* Fiber.join(running), Option.none())
    }).pipe(Effect.scoped)
  )

  it.effect("has so much typed ahead, and a bell then; ^C is heard in any case", () =>
    Effect.gen(function* () {
      const { sent, terminal, type } = yield* desk()
      const running = yield* Effect.forkChild(terminal.run(Effect.never), now)
      for (let i = 0; i < aheadMax + 100; i++) yield* type("\t")
      assert.isTrue(sent().startsWith("\x07".repeat(100)))
      yield* type("\x03")
      assert.deepStrictEqual(yield* Fiber.join(running), Option.none())
    }).pipe(Effect.scoped)
  )

  it.effect("waits with receiving for who sends whole lines, and loses none of them", () =>
    Effect.gen(function* () {
      const { terminal, type } = yield* desk({ isInteractive: () => false })
      const running = yield* Effect.forkScoped(terminal.attend(Effect.never), now)
      const count = 500
      for (let i = 0; i < count; i++) yield* type(`line number ${i} of them\n`)
      assert.strictEqual(running.pollUnsafe(), undefined)
      for (let i = 0; i < count; i++) {
        const read = yield* terminal.readLine()
        assert.deepStrictEqual(read, { _tag: "Line", line: `line number ${i} of them` })
      }
    }).pipe(Effect.scoped)
  )
})

describe("what can follow", () => {
  it.effect("^C interrupts who looks for it, and the line goes on", () =>
    Effect.gen(function* () {
      const { screen, terminal, type } = yield* desk()
      let isSlow = true
      const complete = () => (isSlow ? Effect.never : Effect.succeed({ candidates: ["help"], replaced: 1 }))
      const reading = yield* Effect.forkChild(terminal.readLine({ prompt: "> ", complete }), now)
      yield* type("h\t")
      yield* type("\x03")
      isSlow = false
      yield* type("\t\r")
      assert.deepStrictEqual(yield* Fiber.join(reading), { _tag: "Line", line: "help " })
      assert.strictEqual(screen.text(), "> help \n")
    }).pipe(Effect.scoped)
  )
})

describe("a line that is too long", () => {
  it.effect("rings a bell for who sees it; who does not is told, and nothing runs", () =>
    Effect.gen(function* () {
      const long = "x".repeat(4_000)
      const seen = yield* desk()
      yield* seen.type(`${long}${long}y\r`)
      assert.strictEqual((yield* seen.terminal.readLine())._tag, "Line")
      const unseen = yield* desk({ isInteractive: () => false })
      yield* unseen.type(long)
      const reading = yield* Effect.forkChild(unseen.terminal.readLine(), now)
      yield* unseen.type(`${long}y\nnext\n`)
      assert.deepStrictEqual(yield* Fiber.join(reading), { _tag: "Interrupt", isTooLong: true })
      assert.match(unseen.screen.text(), /^a line of more than 4096 characters: given up\n$/)
      assert.deepStrictEqual(yield* unseen.terminal.readLine(), { _tag: "Line", line: "next" })
    }).pipe(Effect.scoped)
  )
})

describe("sizes", () => {
  it.effect("are told as they change; the line is drawn anew", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      let size = { columns: 80, rows: 24 }
      // What SSH and telnet tell beside the data, this one tells in it.
      const base = TerminalScreen.fromTransport(server, { size: () => size })
      const terminal = Terminal.make({
        ...base,
        receive: Effect.map(base.receive, (input): Terminal.Input => {
          if (input._tag !== "Bytes" || input.bytes[0] !== 0) return input
          size = { columns: input.bytes[1]!, rows: input.bytes[2]! }
          return { _tag: "Changed" }
        })
      })
      const seen: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(terminal.sizes, ({ columns, rows }) =>
          Effect.sync(() => void seen.push(`${columns}x${rows}`))
        ),
        now
      )
      const tell = (columns: number, rows: number) =>
        Effect.andThen(client.send(Uint8Array.of(0, columns, rows)), network.settled)
      const reading = yield* Effect.forkChild(terminal.readLine({ prompt: "> " }), now)
      yield* tell(20, 10)
      yield* tell(20, 10)
      yield* client.send("x\r")
      yield* Fiber.join(reading)
      const running = yield* Effect.forkScoped(terminal.attend(Effect.never), now)
      yield* tell(132, 43)
      yield* network.settled
      assert.deepStrictEqual(seen, ["80x24", "20x10", "132x43"])
      assert.strictEqual(running.pollUnsafe(), undefined)
    }).pipe(Effect.scoped)
  )
})
