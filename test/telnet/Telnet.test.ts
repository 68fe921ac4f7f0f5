/** Conversations: our server and our client, and a peer that is played by hand; in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as TestClock from "effect/testing/TestClock"
import * as Telnet from "../../src/telnet/Telnet.ts"
import * as TelnetClient from "../../src/telnet/TelnetClient.ts"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import * as TelnetShell from "../../src/telnet/TelnetShell.ts"
import type { TelnetTerminal } from "../../src/telnet/TelnetTerminal.ts"
import { code, option } from "../../src/telnet/TelnetWire.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, readAll, world } from "../memory/pair.ts"
import { serve } from "../protocol/serving.ts"

const served = (
  options?: TelnetServer.Options,
  shell: TelnetShell.TelnetShell["Service"] = TelnetShell.example
) =>
  serve(
    (transport: Transport) =>
      Effect.provideService(TelnetServer.protocol(options)(transport), TelnetShell.TelnetShell, shell),
    { drainTimeout: 0, interruptTimeout: 0 }
  )

/** Text that comes, as it comes. */
const hearing = Effect.fnUntraced(function* (client: TelnetClient.TelnetClient["Service"]) {
  let heard = ""
  yield* Effect.forkScoped(
    Effect.forever(Effect.map(client.receiveText, (text) => void (heard += text))).pipe(
      Pull.catchDone(() => Effect.void)
    ),
    { startImmediately: true }
  )
  return () => {
    const all = heard
    heard = ""
    return all
  }
})

/** What the server asks for first: WILL ECHO, WILL and DO SUPPRESS-GO-AHEAD, DO NAWS, DO TTYPE. */
const asks = "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x03\xff\xfd\x1f\xff\xfd\x18"

describe("a server", () => {
  /** Bytes in; all that comes until both have ended. */
  const said = Effect.fnUntraced(function* (input: string, pieces = 1 << 20) {
    const { dial, settled } = yield* served()
    const client = yield* dial
    const bytes = Buffer.from(input, "latin1")
    const heard: Array<Uint8Array> = []
    const receiving = yield* Effect.forkScoped(
      client.receiveEach((piece) => Effect.sync(() => heard.push(piece))),
      { startImmediately: true }
    )
    for (let at = 0; at < bytes.length; at += pieces) {
      yield* Effect.ignore(client.send(Uint8Array.from(bytes.subarray(at, at + pieces))))
      yield* settled
    }
    yield* Effect.ignore(client.end)
    yield* Effect.ignore(Fiber.join(receiving))
    return Buffer.concat(heard).toString("latin1")
  })

  it.effect("with a peer that knows no telnet: whole lines, nothing shown twice", () =>
    Effect.gen(function* () {
      for (const pieces of [1 << 20, 1, 3]) {
        const text = yield* said("echo one\r\necho two\nquit\r\n", pieces)
        assert.isTrue(text.startsWith(asks))
        assert.match(text, /This is Spindle.*\r\n> one\r\n> two\r\n> Bye\.\r\n$/s)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("with one that agrees: each key, shown", () =>
    Effect.gen(function* () {
      const yes = "\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03"
      for (const pieces of [1, 3]) {
        const text = yield* said(`${yes}ecx\x7fho hi\r\0quit\r\0`, pieces)
        assert.include(text, "> ecx")
        assert.include(text, "ho hi\r\nhi\r\n> quit\r\nBye.\r\n")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("refuses what it does not do, and does not loop", () =>
    Effect.gen(function* () {
      // DO LINEMODE, WILL LINEMODE, WILL ECHO, DO TIMING-MARK, an option that nobody knows.
      const text = yield* said("\xff\xfd\x22\xff\xfb\x22\xff\xfb\x01\xff\xfd\x06\xff\xfd\xc8quit\r\n")
      assert.include(text, "\xff\xfc\x22\xff\xfe\x22\xff\xfe\x01\xff\xfc\x06\xff\xfc\xc8")
      assert.strictEqual(text.split(asks).length, 2)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "hears what is no key: are you there, interrupt, erase; and what is typed controls nobody's terminal",
    () =>
      Effect.gen(function* () {
        assert.include(yield* said("\xff\xf6quit\r\n"), "\r\n[Yes]\r\n")
        assert.include(yield* said("echo ab\xff\xf7c\r\nquit\r\n"), "> ac\r\n")
        assert.include(yield* said("echo no\xff\xf4echo yes\r\nquit\r\n"), "> yes\r\n")
        // ESC ] 0 ; x BEL in a line, and a C1 control in UTF-8.
        const text = yield* said("echo \x1b]0;x\x07\xc2\x9b5mend\r\nquit\r\n")
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(text.slice(asks.length), /[\x1b\x07\x9b]/)
      }).pipe(Effect.scoped)
  )

  it.effect("ends with a browser, whatever its page has it say", () =>
    Effect.gen(function* () {
      const body = "\r\necho pwned\r\nquit\r\n"
      for (const input of [
        `GET / HTTP/1.1\r\nHost: 127.0.0.1:7023\r\n${body}`,
        `POST /${"x".repeat(5_000)} HTTP/1.1\r\nHost: x\r\n${body}`
      ]) {
        for (const pieces of [1 << 20, 7]) {
          const text = yield* said(input, pieces)
          assert.notInclude(text, "pwned")
          assert.notInclude(text, "Bye")
        }
      }
      // Who is known to be at a terminal may write what he likes; so may anybody behind his first line.
      assert.include(yield* said("echo GET\r\nGET / HTTP/1.1\r\nquit\r\n"), "Bye")
    }).pipe(Effect.scoped)
  )

  it.effect("ends with who floods it with negotiations, or with details", () =>
    Effect.gen(function* () {
      for (const [word, answer] of [
        ["\xff\xfb\x22", "\xff\xfe\x22"],
        ["\xff\xf6", "[Yes]"],
        ["\xff\xfa\x1f\0\x50\0\x18\xff\xf0", undefined]
      ] as const) {
        const text = yield* said(`${word.repeat(201)}quit\r\n`)
        if (answer !== undefined) assert.isAtMost(text.split(answer).length - 1, 200)
        assert.notInclude(text, "Bye")
        assert.include(yield* said(`${word.repeat(200)}quit\r\n`), "Bye")
      }
      assert.notInclude(yield* said(`\xff\xfa\x18${"x".repeat(2_000)}\xff\xf0quit\r\n`), "Bye")
      assert.notInclude(yield* said("\xff\x01quit\r\n"), "Bye")
    }).pipe(Effect.scoped)
  )

  it.effect("ends with who says nothing", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* served()
      const client = yield* dial
      yield* TestClock.adjust("14 minutes")
      assert.strictEqual(server.counts.value.open, 1)
      yield* TestClock.adjust("3 minutes")
      yield* settled
      assert.match(yield* readAll(client), /This is Spindle/)
      assert.strictEqual(server.counts.value.open, 0)
    }).pipe(Effect.scoped)
  )
})

describe("a server and a client", () => {
  it.effect("agree on a terminal, its size and kind", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* served()
      const client = TelnetClient.make(yield* dial, {
        terminalType: "xterm",
        window: { columns: 100, rows: 255 }
      })
      const heard = yield* hearing(client)
      yield* settled
      assert.match(heard(), /^This is Spindle/)
      yield* client.send("terminal\n")
      yield* settled
      // Pastes are marked while a line is read.
      assert.strictEqual(heard(), "terminal\n\\x1b[?2004lxterm, 100 x 255\n\\x1b[?2004h> ")
      yield* client.resize({ columns: 20, rows: 10 })
      yield* client.send("terminal\n")
      yield* settled
      assert.match(heard(), /xterm, 20 x 10\n.*> $/)
      yield* client.send("h\t")
      yield* settled
      // "help", "history": the bell rings, written out. Again: both.
      assert.strictEqual(heard(), "h\\x07")
      yield* client.send("\t")
      yield* settled
      assert.match(heard(), /help {5}history\n> h$/)
    }).pipe(Effect.scoped)
  )

  it.effect("hidden lines are not shown; somebody else's words come above", () =>
    Effect.gen(function* () {
      let at: TelnetTerminal | undefined
      const lines: Array<string> = []
      const { dial, settled } = yield* served(undefined, {
        converse: Effect.fnUntraced(function* (terminal) {
          at = terminal
          const password = yield* terminal.readLine({ prompt: "Password: ", isHidden: true })
          const line = yield* terminal.readLine({ prompt: "> " })
          for (const read of [password, line]) if (read._tag === "Line") lines.push(read.line)
        })
      })
      const client = TelnetClient.make(yield* dial)
      const heard = yield* hearing(client)
      yield* client.send("secret\n")
      yield* settled
      assert.strictEqual(heard(), "Password: \n> ")
      yield* client.send("hel")
      yield* settled
      yield* at!.print("bob\x1b[2J: hi")
      yield* settled
      // To the row's beginning, nothing left of the line, the words, the line.
      assert.match(heard(), /^hel(\\r|\r)?.*\\x1b\[Jbob\\x1b\[2J: hi\n> hel$/)
      yield* client.send("lo\n")
      yield* settled
      assert.deepStrictEqual([lines, at!.history()], [["secret", "hello"], ["hello"]])
    }).pipe(Effect.scoped)
  )
})

describe("a connection", () => {
  const pair = Effect.fnUntraced(function* (options: readonly [Telnet.Options?, Telnet.Options?] = []) {
    const { network, reactor } = yield* world()
    const { client, server } = yield* pairOn(reactor)
    const sides = [Telnet.make(client, options[0]), Telnet.make(server, options[1])] as const
    const inputs: readonly [Array<Telnet.Input>, Array<Telnet.Input>] = [[], []]
    for (const which of [0, 1] as const) {
      yield* Effect.forkScoped(
        Effect.forever(Effect.map(sides[which].receive, (input) => inputs[which].push(input))).pipe(
          Pull.catchDone(() => Effect.void)
        ),
        { startImmediately: true }
      )
    }
    return { inputs, network, sides }
  })

  it.effect("asks, is agreed with or refused; either may turn it off", () =>
    Effect.gen(function* () {
      const { inputs, sides } = yield* pair([{}, { local: [option.echo], remote: [] }])
      const [one, other] = sides
      assert.isTrue(yield* one.ask("Remote", option.echo, true))
      assert.isTrue(other.isOn("Local", option.echo))
      assert.isTrue(yield* one.ask("Remote", option.echo, true))
      assert.isFalse(yield* one.ask("Local", option.echo, true))
      assert.isTrue(yield* other.ask("Local", option.echo, false))
      assert.isFalse(one.isOn("Remote", option.echo))
      assert.deepStrictEqual(
        inputs[0].map((input) => ("on" in input ? `${input._tag} ${input.on}` : input._tag)),
        ["Changed true", "Changed true", "Refused", "Changed false"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("data is the same on the other side, in text and in binary; commands and details beside it", () =>
    Effect.gen(function* () {
      const { inputs, network, sides } = yield* pair()
      const [one] = sides
      const all = Uint8Array.from({ length: 256 }, (_, i) => i)
      const received = () => {
        const data = inputs[1].flatMap((input) => (input._tag === "Data" ? [input.bytes] : []))
        inputs[1].length = 0
        return Uint8Array.from(Buffer.concat(data))
      }
      yield* one.send(all)
      yield* network.settled
      assert.deepStrictEqual(received(), all)
      assert.isTrue(yield* one.ask("Local", option.binary, true))
      yield* one.send(all)
      yield* network.settled
      assert.deepStrictEqual(received(), all)
      yield* one.command(code.areYouThere)
      yield* one.subnegotiate(99, all)
      yield* network.settled
      assert.deepStrictEqual(inputs[1], [
        { _tag: "Command", command: code.areYouThere },
        { _tag: "Subnegotiation", option: 99, bytes: all }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("who asks of one that is gone hears no", () =>
    Effect.gen(function* () {
      const { network, sides } = yield* pair()
      const asking = yield* Effect.forkChild(sides[0].ask("Remote", 200, true), { startImmediately: true })
      yield* sides[1].transport.abort
      yield* network.settled
      assert.isFalse(yield* Fiber.join(asking))
    }).pipe(Effect.scoped)
  )
})
