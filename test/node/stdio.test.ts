/** Standard input and output as a connection: real programs, started by a shell, by Node, by something like inetd. */
import * as fs from "node:fs"
import type * as net from "node:net"
import * as path from "node:path"
import * as tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import { describePeer, whichAll } from "../support/peers.ts"
import * as Inheriting from "./inheriting.ts"
import { socketEnd } from "./sockets.ts"

const script = path.join(import.meta.dirname, "stdioChild.ts")
const node = process.execPath

/** A shell's command line; `$NODE` and `$CHILD` are the program. */
const shell = (line: string, options: Child.Options = {}) =>
  Child.run("sh", ["-c", line], { ...options, env: { NODE: node, CHILD: script, ...options.env } })

const workshop = Effect.map(socketPath, (file) => path.dirname(file))

/** Not of one piece's size, and not the same anywhere. */
const megabytes = (count: number): Buffer => {
  const bytes = Buffer.allocUnsafe(count * 1024 * 1024 + 7)
  for (let i = 0; i < bytes.length; i += 4)
    bytes.writeUInt32LE((i * 2654435761) >>> 0, Math.min(i, bytes.length - 4))
  return bytes
}

describe("in a shell", () => {
  it.live("10 MB go from file to file, whole", () =>
    Effect.gen(function* () {
      const cwd = yield* workshop
      const bytes = megabytes(10)
      fs.writeFileSync(path.join(cwd, "in"), bytes)
      const { code, stderr } = yield* shell('"$NODE" "$CHILD" echo <in >out', { cwd })
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.isTrue(fs.readFileSync(path.join(cwd, "out")).equals(bytes))
    }).pipe(Effect.scoped)
  )

  it.live("10 MB go from pipe to pipe, whole", () =>
    Effect.gen(function* () {
      const cwd = yield* workshop
      const bytes = megabytes(10)
      fs.writeFileSync(path.join(cwd, "in"), bytes)
      const { code, stderr } = yield* shell('cat in | "$NODE" "$CHILD" echo | cat >out', { cwd })
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.isTrue(fs.readFileSync(path.join(cwd, "out")).equals(bytes))
    }).pipe(Effect.scoped)
  )

  it.live("output is appended where the shell says so", () =>
    Effect.gen(function* () {
      const cwd = yield* workshop
      fs.writeFileSync(path.join(cwd, "out"), "before, ")
      yield* shell('printf after | "$NODE" "$CHILD" echo >>out', { cwd })
      assert.strictEqual(fs.readFileSync(path.join(cwd, "out"), "utf8"), "before, after")
    }).pipe(Effect.scoped)
  )

  it.live("no input at all is an end", () =>
    Effect.gen(function* () {
      for (const none of ["</dev/null", "<&-"]) {
        const { stdout } = yield* shell(`"$NODE" "$CHILD" count ${none} | cat`)
        assert.strictEqual(stdout, "0 came")
      }
    })
  )

  it.live("a directory is no input", () =>
    Effect.gen(function* () {
      const { stderr } = yield* shell('"$NODE" "$CHILD" refused </')
      assert.match(stderr, /cannot listen on stdio:.*descriptor 0 is a directory/)
    })
  )

  it.live("a reader that goes away is a reset", () =>
    Effect.gen(function* () {
      const { stderr, stdout } = yield* shell('"$NODE" "$CHILD" flood </dev/null | head -c 5')
      assert.deepStrictEqual([stdout, stderr], ["flood", "Reset\n"])
    })
  )

  it.live("closing flushes, shows its end at once, and leaves the null device in its place", () =>
    Effect.gen(function* () {
      const { stderr, stdout } = yield* shell('cat /dev/zero | "$NODE" "$CHILD" close | wc -c')
      assert.strictEqual(stdout.trim(), String(1024 * 1024))
      assert.strictEqual(stderr, "closed\n/dev/null /dev/null true\n")
    })
  )

  it.live("who shares the pipe finds it blocking, as it was", () =>
    Effect.gen(function* () {
      const child = yield* Child.spawn("sh", ["-c", 'cat | ("$NODE" "$CHILD" close; cat >&2)'], {
        env: { NODE: node, CHILD: script }
      })
      yield* child.says(/closed\n.*\n/)
      yield* child.write("for the next one\n")
      yield* child.says(/for the next one/)
      yield* child.end
      const { stderr } = yield* child.ended
      assert.notMatch(stderr, /unavailable/)
    }).pipe(Effect.scoped)
  )
})

describe("started by Node", () => {
  it.live("what is written comes back, and the end with it", () =>
    Effect.gen(function* () {
      const text = "0123456789\n".repeat(100_000)
      const { code, stderr, stdout } = yield* Child.run(node, [script, "echo"], { input: text })
      assert.deepStrictEqual([code, stderr, stdout === text], [0, "", true])
    })
  )

  it.live("a client answers after the end of its input", () =>
    Effect.gen(function* () {
      const { stdout } = yield* Child.run(node, [script, "count"], { input: "hello" })
      assert.strictEqual(stdout, "5 came")
    })
  )

  it.live("end closes the output only", () =>
    Effect.gen(function* () {
      const [ours, theirs] = [yield* Inheriting.connection, yield* Inheriting.connection]
      const child = yield* Inheriting.start([script, "end"], [ours.theirs, theirs.theirs, "said"])
      for (const { theirs: handed } of [ours, theirs]) handed.destroy()
      // While the program lives, and reads on.
      const end = yield* socketEnd(theirs.ours)
      assert.deepStrictEqual(end, { bytes: 11, how: "end" })
      yield* child.says(/ended/)
      ours.ours.end("more input")
      yield* child.says(/after the end: more input\nover/)
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped)
  )

  it.live("there is one connection, once in a process", () =>
    Effect.gen(function* () {
      const { stderr } = yield* Child.run(node, [script, "once"])
      assert.strictEqual(stderr, "AlreadyListened\nBindFailed\nstill open\nNotListening\nAlreadyListened\n")
    })
  )
})

/** As inetd starts a program: one socket is all three, or the first two. */
const inetd = Effect.fnUntraced(function* (
  program: string,
  alsoError: boolean,
  env: Record<string, string> = {}
) {
  const { ours, theirs } = yield* Inheriting.connection
  const { localPort } = ours
  const child = yield* Inheriting.start([script, program], [theirs, theirs, alsoError ? theirs : "said"], {
    env
  })
  theirs.destroy()
  return { child, socket: ours, port: localPort! }
})

const text = (socket: net.Socket) =>
  Effect.callback<string>((resume) => {
    let all = ""
    socket.on("data", (bytes: Buffer) => {
      all += bytes.toString()
    })
    socket.on("end", () => resume(Effect.succeed(all)))
    socket.on("close", () => resume(Effect.succeed(`${all} (lost)`)))
  })

describe("one socket for all, as inetd passes it", () => {
  it.live("it is a connection of two directions, and knows its peer", () =>
    Effect.gen(function* () {
      const { child, port, socket } = yield* inetd("who", false)
      yield* child.says(new RegExp(`peer 127\\.0\\.0\\.1:${port}\\n`))
      socket.end()
      assert.strictEqual(yield* text(socket), "you are known")
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped)
  )

  it.live("1 MB comes back, then the end", () =>
    Effect.gen(function* () {
      const { child, socket } = yield* inetd("echo", false)
      const sent = "x".repeat(1_000_000)
      socket.end(sent)
      assert.isTrue((yield* text(socket)) === sent)
      assert.strictEqual(yield* child.ended, 0)
    }).pipe(Effect.scoped)
  )

  it.live("an abort is a reset while the process lives on, though three descriptors held it", () =>
    Effect.gen(function* () {
      const { socket } = yield* inetd("abort", true)
      socket.write("go on")
      assert.strictEqual((yield* socketEnd(socket)).how, "ECONNRESET")
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!certificates.available)("TLS goes over it", () =>
    Effect.gen(function* () {
      const { authority, server } = certificates.localhost()
      const { socket } = yield* inetd("tls", false, {
        CERTIFICATE: server.certificate,
        PRIVATE_KEY: server.privateKey
      })
      const secured = tls.connect({ socket, ca: authority.certificate, servername: "localhost" })
      secured.on("error", () => {})
      secured.end("secret")
      assert.strictEqual(yield* text(secured as unknown as net.Socket), "secret")
    }).pipe(Effect.scoped)
  )
})

describePeer({ name: "python3", debian: "python3", path: whichAll("python3")[0] }, (python) => {
  it.live("on a terminal it reads lines until ^D, and leaves the terminal open", () =>
    Effect.gen(function* () {
      const program = `
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
os.write(ours, b"hello\\n")
seen = b""
while seen.count(b"hello") < 2: seen += os.read(ours, 100)
os.write(ours, b"\\x04")
print(child.wait(10), child.stderr.read())
`
      const { stdout, stderr } = yield* Child.run(python, ["-c", program, node, script, "echo"])
      assert.deepStrictEqual([stdout, stderr], ["0 b''\n", ""])
    })
  )
})
