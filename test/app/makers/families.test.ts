/** `spindle finger` and its like: one protocol family each, from their command lines; in memory. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { builtIn } from "../../../src/app/makers/builtIn.ts"
import { UsageError } from "../../../src/app/cli/UsageError.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { Reactor } from "../../../src/reactor/Reactor.ts"
import { read, readAll, world } from "../../memory/pair.ts"
import { observed } from "../../protocol/serving.ts"
import { run } from "../running.ts"
import { service } from "./making.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-families-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

const load = (name: string) =>
  Effect.map(
    Effect.promise(() => builtIn.find((one) => one.name === name)!.load()),
    ({ maker }) => maker
  )

const make = (name: string, args: ReadonlyArray<string>) =>
  Effect.flatMap(load(name), (maker) => service(maker, args))

/** It runs in memory; a conversation with it, and what was logged about trying it. */
const serving = <A, E, R>(
  name: string,
  args: ReadonlyArray<string>,
  use: (given: {
    /** What it says to an input until it closes, or, without `ends`, at once. */
    readonly ask: (port: number, input: string, ends?: boolean) => Effect.Effect<string, unknown>
    /** What it says to a datagram; "nobody" where nobody listens. */
    readonly askUdp: (port: number, datagram: string) => Effect.Effect<string, unknown>
    readonly hints: ReadonlyArray<string>
  }) => Effect.Effect<A, E, R>
) =>
  observed(({ logs }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { network, reactor } = yield* world()
        yield* Effect.provideService(run(yield* make(name, args)), Reactor, reactor)
        const ask = (port: number, input: string, ends = true) =>
          Effect.scoped(
            Effect.gen(function* () {
              const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
              yield* client.send(input)
              if (ends) yield* client.end
              yield* network.settled
              return yield* ends ? readAll(client) : read(client)
            })
          )
        const askUdp = (port: number, datagram: string) =>
          Effect.scoped(
            Effect.gen(function* () {
              const connect = { host: "127.0.0.1", port }
              const client = yield* reactor.datagram(
                Endpoint.udp({ port: 0, interface: "127.0.0.1", connect })
              )
              yield* client.send(datagram)
              return yield* client.receive.pipe(
                Effect.map(([message]) => Buffer.from(message!.bytes).toString("latin1")),
                Effect.orElseSucceed(() => "nobody")
              )
            })
          )
        return yield* use({
          ask,
          askUdp,
          get hints() {
            return logs.map(({ text }) => text).filter((text) => text.startsWith("try it"))
          }
        })
      })
    )
  )

/** The one line that a command line is refused with. */
const refused = (name: string, args: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(make(name, args)), (error) => {
    assert.instanceOf(error, UsageError)
    assert.notInclude(error.message, "\n")
    return error.message
  })

describe("spindle finger", () => {
  it.effect("by default: on loopback, an example, no list", () =>
    serving(
      "finger",
      [],
      Effect.fnUntraced(function* ({ ask, hints }) {
        assert.match(yield* ask(7079, "spindle\r\n"), /^Login: spindle\r\n.*--plans DIRECTORY\.\r\n$/s)
        assert.strictEqual(yield* ask(7079, "\r\n"), "Finger online user list denied\r\n")
        assert.deepStrictEqual(hints, [String.raw`try it: printf 'spindle\r\n' | nc 127.0.0.1 7079`])
      })
    )
  )

  it.effect("plans from a directory", () =>
    Effect.gen(function* () {
      fs.writeFileSync(path.join(folder, "alice.plan"), "To the sea.\n")
      fs.writeFileSync(path.join(folder, "secret"), "no")
      const args = ["--plans", folder, "--list", "--listen", "tcp:79:interface=127.0.0.1"]
      yield* serving(
        "finger",
        args,
        Effect.fnUntraced(function* ({ ask }) {
          assert.strictEqual(yield* ask(79, "alice\r\n"), "Login: alice\r\nPlan:\r\nTo the sea.\r\n")
          assert.match(yield* ask(79, "secret\r\n"), /No such user/)
          assert.match(yield* ask(79, "\r\n"), /^Login [^\n]*\r\nalice\r\n$/)
        })
      )
      assert.match(yield* refused("finger", ["--plans", path.join(folder, "nowhere")]), /^--plans: .*nowhere/)
      assert.match(yield* refused("finger", ["--plans", path.join(folder, "secret")]), /is no directory$/)
    })
  )
})

describe("spindle ident", () => {
  const asked = "22, 23\r\n"

  it.effect("names nobody by default; one name, where it is told to", () =>
    Effect.gen(function* () {
      for (const [args, answer] of [
        [[], "22, 23 : ERROR : HIDDEN-USER\r\n"],
        [["--user", "somebody"], "22, 23 : USERID : UNIX : somebody\r\n"]
      ] as const) {
        yield* serving(
          "ident",
          args,
          Effect.fnUntraced(function* ({ ask, hints }) {
            assert.strictEqual(yield* ask(7113, asked), answer)
            assert.deepStrictEqual(hints, [String.raw`try it: printf '6193, 23\r\n' | nc 127.0.0.1 7113`])
          })
        )
      }
      for (const both of [
        ["--user", "a", "--real-users"],
        ["--tokens", "--real-users"],
        ["--tokens", "--user", "a"]
      ]) {
        assert.match(yield* refused("ident", both), /^--user, --real-users and --tokens/)
      }
      yield* make("ident", ["--tokens"])
    })
  )
})

describe("spindle postfix", () => {
  it.effect("an example by default; a file as postmap reads it", () =>
    Effect.gen(function* () {
      yield* serving(
        "postfix",
        [],
        Effect.fnUntraced(function* ({ ask, hints }) {
          assert.strictEqual(yield* ask(7423, "get key\n"), "200 value\n")
          assert.deepStrictEqual(hints, [String.raw`try it: printf 'get key\n' | nc 127.0.0.1 7423`])
        })
      )
      const file = path.join(folder, "table")
      fs.writeFileSync(file, "# a comment\n\nalice@example.org  alice,\n  bob\nlonely\n__proto__ x\n")
      yield* serving(
        "postfix",
        ["--table", file],
        Effect.fnUntraced(function* ({ ask }) {
          assert.strictEqual(
            yield* ask(7423, "get alice@example.org\nget lonely\nget __proto__\nget toString\n"),
            "200 alice,%20bob\n200 \n200 x\n500 not%20found\n"
          )
        })
      )
      assert.match(
        yield* refused("postfix", ["--table", path.join(folder, "nowhere")]),
        /^--table: .*nowhere/
      )
      assert.match(yield* refused("postfix", ["--listen", "tcp:7423"]), /can be reached by others/)
      yield* make("postfix", ["--listen", "tcp:7423", "--unprotected"])
    })
  )

  it.effect("as a socketmap, for one name", () =>
    Effect.gen(function* () {
      yield* serving(
        "postfix",
        ["--socketmap", "aliases"],
        Effect.fnUntraced(function* ({ ask, hints }) {
          assert.strictEqual(
            yield* ask(7423, "11:aliases key,10:others key,"),
            "8:OK value,29:TEMP there is no table others,"
          )
          assert.deepStrictEqual(hints, ["try it: postmap -q key socketmap:inet:127.0.0.1:7423:aliases"])
        })
      )
      assert.match(yield* refused("postfix", ["--socketmap", "a b"]), /cannot be a table's name/)
    })
  )
})

describe("spindle memcached", () => {
  it.effect("a cache on loopback; a small one where it is told so", () =>
    Effect.gen(function* () {
      yield* serving(
        "memcached",
        [],
        Effect.fnUntraced(function* ({ ask, hints }) {
          const text = "set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n"
          assert.strictEqual(yield* ask(11_211, text), "STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n")
          assert.deepStrictEqual(hints, [
            String.raw`try it: printf 'set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n' | nc 127.0.0.1 11211`
          ])
        })
      )
      yield* serving(
        "memcached",
        [
          "-m",
          "1",
          "-I",
          "1000",
          "--listen",
          "tcp:1:interface=127.0.0.1",
          "--listen",
          "tcp:2:interface=127.0.0.1"
        ],
        Effect.fnUntraced(function* ({ ask }) {
          yield* ask(1, "set k 0 0 1\r\n1\r\n")
          // One store for all places.
          const said = yield* ask(2, `get k\r\nset k 0 0 1001\r\n${"x".repeat(1001)}\r\nstats settings\r\n`)
          assert.match(
            said,
            /^VALUE k 0 1\r\n1\r\nEND\r\nSERVER_ERROR object too large .*STAT maxbytes 1048576\r\n/s
          )
        })
      )
    })
  )

  it.effect("is not put where others can reach it, unless that is said", () =>
    Effect.gen(function* () {
      for (const where of [
        "tcp:11211",
        "tcp6:11211",
        "tcp:11211:interface=192.0.2.1",
        "haproxy:trusted=unix:unix:/x"
      ]) {
        assert.match(
          yield* refused("memcached", ["--listen", where]),
          /can be reached by others, and memcached asks nobody/
        )
      }
      for (const where of ["tcp:11211:interface=127.0.0.2", "tcp6:11211:interface=[::1]", "unix:/x"]) {
        yield* make("memcached", ["--listen", where])
      }
      yield* make("memcached", ["--listen", "tcp:11211", "--unprotected"])
      const file = path.join(folder, "cache-users")
      fs.writeFileSync(file, "ali:open sesame\n")
      assert.match(
        yield* refused("memcached", ["--listen", "tcp:11211", "--users", file]),
        /can be reached by others, and passwords would go in plaintext/
      )
      yield* make("memcached", ["--listen", "tcp:11211", "--users", file, "--unprotected"])
      yield* refused("memcached", ["--users", path.join(folder, "none")])
      yield* serving(
        "memcached",
        ["--users", file],
        Effect.fnUntraced(function* ({ ask, hints }) {
          const text = "set login 0 0 15\r\nali open sesame\r\nmn\r\nquit\r\n"
          assert.strictEqual(yield* ask(11_211, text), "STORED\r\nMN\r\n")
          assert.strictEqual(yield* ask(11_211, "mn\r\nquit\r\n"), "CLIENT_ERROR unauthenticated\r\n")
          assert.match(hints[0]!, /^try it: printf 'set login 0 0 BYTES\\r\\nali PASSWORD\\r\\nset k/)
        })
      )
      for (const args of [
        ["-m", "0"],
        ["-m", "1", "-I", "2000000"],
        ["--idle-timeout", "0"]
      ])
        yield* refused("memcached", args)
    })
  )
})

describe("spindle memcached, over UDP", () => {
  const udp = "udp:11211:interface=127.0.0.1"
  const tcp = "tcp:11211:interface=127.0.0.1"

  it.effect("not unless it is told so; then the same cache, and how to try it", () =>
    serving(
      "memcached",
      ["--listen", tcp, "--listen", udp],
      Effect.fnUntraced(function* ({ ask, askUdp, hints }) {
        yield* ask(11_211, "set k 0 0 5\r\nhello\r\n")
        assert.strictEqual(
          yield* askUdp(11_211, "\0\x01\0\0\0\x01\0\0get k\r\n"),
          "\0\x01\0\0\0\x01\0\0VALUE k 0 5\r\nhello\r\nEND\r\n"
        )
        assert.match(yield* ask(11_211, "stats settings\r\nquit\r\n"), /STAT udpport 11211\r\n/)
        assert.deepStrictEqual(hints.slice(1), [
          String.raw`try it: printf '\0\1\0\0\0\1\0\0version\r\n' | nc -u -w 1 127.0.0.1 11211`
        ])
      })
    )
  )

  it.effect("alone, too; by default there is nothing", () =>
    Effect.gen(function* () {
      const version = "\0\x01\0\0\0\x01\0\0version\r\n"
      yield* serving("memcached", ["--listen", udp], ({ askUdp }) =>
        Effect.map(askUdp(11_211, version), (said) => assert.match(said, /VERSION/))
      )
      yield* serving("memcached", [], ({ askUdp }) =>
        Effect.map(askUdp(11_211, version), (said) => assert.strictEqual(said, "nobody"))
      )
    })
  )

  it.effect("what is not safe is refused, in a line", () =>
    Effect.gen(function* () {
      const file = path.join(folder, "udp-users")
      fs.writeFileSync(file, "ali:open sesame\n")
      for (const [args, why] of [
        [["--listen", tcp, "--listen", "udp:11211"], /udp:11211 can be reached by others/],
        [["--listen", "udp:11211:interface=192.0.2.1"], /can be reached by others/],
        [["--listen", udp, "--users", file], /asks nobody for a password over UDP/],
        [["--listen", udp, "--users", file, "--unprotected"], /asks nobody for a password over UDP/],
        [["--listen", udp, "--udp-rate", "0"], /--udp-rate must be above 0/]
      ] as const) {
        assert.match(yield* refused("memcached", args), why)
      }
      yield* make("memcached", ["--listen", "udp:11211", "--unprotected"])
    })
  )
})

describe("spindle socks", () => {
  const greeting = "\x05\x01\x00"
  /** By SOCKS 4: this machine, at port 9. */
  const inside = "\x04\x01\x00\x09\x7f\x00\x00\x01\x00"

  it.effect("a proxy for this machine, that does not lead to it", () =>
    Effect.gen(function* () {
      yield* serving(
        "socks",
        [],
        Effect.fnUntraced(function* ({ ask, hints }) {
          assert.strictEqual(yield* ask(1080, greeting, false), "\x05\x00")
          assert.strictEqual((yield* ask(1080, inside)).charAt(1), "[")
          assert.deepStrictEqual(hints, ["try it: curl -x socks5h://127.0.0.1:1080 https://example.org/"])
        })
      )
    })
  )

  it.effect("users from a file", () =>
    Effect.gen(function* () {
      const file = path.join(folder, "users")
      fs.writeFileSync(file, "# who may\nbob:se:cret\n")
      yield* serving(
        "socks",
        ["--users", file],
        Effect.fnUntraced(function* ({ ask }) {
          assert.strictEqual(
            yield* ask(1080, "\x05\x01\x02\x01\x03bob\x07se:cret", false),
            "\x05\x02\x01\x00"
          )
          assert.strictEqual(yield* ask(1080, `\x05\x01\x02\x01\x03bob\x01x`), "\x05\x02\x01\x01")
        })
      )
      fs.writeFileSync(file, "bob\n")
      assert.match(yield* refused("socks", ["--users", file]), /must have lines of NAME:PASSWORD/)
      assert.match(yield* refused("socks", ["--users", path.join(folder, "nowhere")]), /^--users: .*nowhere/)
    })
  )

  it.effect("is not put where others can reach it, unless that is said, and who they are", () =>
    Effect.gen(function* () {
      const file = path.join(folder, "known")
      fs.writeFileSync(file, "bob:secret\n")
      const open = ["--listen", "tcp:1080"]
      assert.match(yield* refused("socks", open), /can be reached by others, and SOCKS asks nobody/)
      assert.match(yield* refused("socks", [...open, "--users", file]), /passwords would go in plaintext/)
      assert.match(yield* refused("socks", [...open, "--unprotected"]), /--client is missing/)
      yield* make("socks", [...open, "--unprotected", "--client", "10.0.0.0/8"])
      assert.match(yield* refused("socks", ["--allow", "everything"]), /^--client, --allow, --deny: /)
      assert.match(yield* refused("socks", ["--deny", "10.0.0.0/40"]), /^--client, --allow, --deny: /)
      assert.match(yield* refused("socks", ["--idle-timeout", "0"]), /must be above 0/)
    })
  )
})

describe("spindle portforward", () => {
  it.effect("leads through SOCKS proxies, too", () =>
    Effect.gen(function* () {
      yield* make("portforward", ["--to", "socks5:127.0.0.1:1080:tcp:example.org:80"])
      yield* make("portforward", ["--to", "secured:socks4:[::1]:1080:resolve=local:tcp:example.org:443"])
      assert.match(yield* refused("portforward", ["--to", "socks5:proxy:tcp:example.org:80"]), /port/)
    })
  )
})

describe("spindle telnet", () => {
  it.effect("an example, on loopback", () =>
    serving(
      "telnet",
      [],
      Effect.fnUntraced(function* ({ ask, hints }) {
        assert.match(yield* ask(7023, "echo hello\r\nquit\r\n"), /This is Spindle.*> hello\r\n> Bye\.\r\n$/s)
        assert.deepStrictEqual(hints, ["try it: telnet 127.0.0.1 7023"])
      })
    )
  )

  it.effect("is not put where others can reach it, unless that is said", () =>
    Effect.gen(function* () {
      const open = ["--listen", "tcp:23"]
      assert.match(yield* refused("telnet", open), /can be reached by others, and telnet asks nobody/)
      yield* make("telnet", [...open, "--unprotected"])
    })
  )
})
