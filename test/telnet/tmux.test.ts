/** The line editor on a terminal that somebody else made: telnet(1) in tmux(1), which says what is seen. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import * as TelnetShell from "../../src/telnet/TelnetShell.ts"
import { portOf } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { describePeer, which } from "../support/peers.ts"

const host = "127.0.0.1"

/** A pane of so many columns and 8 rows, in a tmux of its own. */
const pane = Effect.fnUntraced(function* (tmux: string, columns: number, command: string) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-tmux-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )
  const env = { LC_ALL: "C.UTF-8" }
  const run = (...args: ReadonlyArray<string>) =>
    Child.run(tmux, ["-u", "-S", path.join(folder, "socket"), "-f", "/dev/null", ...args], { env })
  const size = ["-x", String(columns), "-y", "8"]
  yield* Effect.acquireRelease(run("new-session", "-d", ...size, command), () =>
    Effect.ignore(run("kill-server"))
  )
  const seen = Effect.map(run("capture-pane", "-p"), ({ stdout }) => stdout.trimEnd())
  /** Waits until the last rows that have something are these, and the cursor is there. */
  const shows = Effect.fnUntraced(function* (rows: string, cursor?: string) {
    let [text, at] = ["", ""]
    for (let tries = 0; tries < 100; tries++) {
      text = yield* seen
      at = (yield* run("display", "-p", "#{cursor_x},#{cursor_y}")).stdout.trim()
      if (text.endsWith(rows) && (cursor === undefined || cursor === at)) return
      yield* Effect.sleep("50 millis")
    }
    assert.fail(`expected\n${rows}\nat ${cursor}, seen\n${text}\nat ${at}`)
  })
  return {
    shows,
    type: (...keys: ReadonlyArray<string>) => run("send-keys", ...keys),
    paste: (text: string) => Effect.andThen(run("set-buffer", text), run("paste-buffer", "-p", "-r")),
    resize: (columns: number) => run("resize-window", "-x", String(columns), "-y", "8")
  }
})

describePeer({ name: "telnet", debian: "inetutils-telnet", path: which("telnet") }, (telnet) => {
  describePeer({ name: "tmux", debian: "tmux", path: which("tmux") }, (tmux) => {
    it.live(
      "shows the line, and the cursor in its place",
      () =>
        Effect.gen(function* () {
          const server = yield* Server.make(
            Endpoint.tcp({ port: 0, interface: host }),
            TelnetServer.protocol()
          )
          const { paste, resize, shows, type } = yield* pane(
            tmux,
            30,
            `${telnet} ${host} ${portOf(server.address)}`
          )
          yield* shows("said.\n>", "2,6")
          // To the last column, and on.
          yield* type("echo aaaaaaaaaaaaaaaaaaaaaaa")
          yield* shows("> echo aaaaaaaaaaaaaaaaaaaaaaa", "0,7")
          yield* type("bcde")
          yield* shows("> echo aaaaaaaaaaaaaaaaaaaaaaa\nbcde", "4,7")
          // Wide characters, in the middle.
          yield* type("Left", "Left", "Left", "漢字")
          yield* shows("> echo aaaaaaaaaaaaaaaaaaaaaaa\nb漢字cde", "5,7")
          yield* type("C-a")
          yield* shows("b漢字cde", "2,6")
          yield* type("C-e", "C-w")
          yield* shows("> echo", "7,6")
          yield* type("C-_")
          yield* shows("> echo aaaaaaaaaaaaaaaaaaaaaaa\nb漢字cde", "8,7")
          // It wraps its rows anew, and so do we.
          yield* resize(20)
          yield* shows("> echo aaaaaaaaaaaaa\naaaaaaaaaab漢字cde", "18,7")
          yield* type("XY")
          yield* shows("> echo aaaaaaaaaaaaa\naaaaaaaaaab漢字cdeXY", "0,7")
          yield* resize(50)
          yield* shows("> echo aaaaaaaaaaaaaaaaaaaaaaab漢字cdeXY")
          // tmux shows that by itself; what follows a key tells that we know the size, too.
          yield* type("Z")
          yield* shows("> echo aaaaaaaaaaaaaaaaaaaaaaab漢字cdeXYZ")
          yield* type("C-c", "h", "Tab", "Tab")
          yield* shows("cdeXYZ^C\nhelp     history\n> h")
          // A paste with lines in it presses no Enter.
          yield* type("C-u")
          yield* paste("echo one\nquit\n")
          yield* shows("help     history\n> echo one quit")
          // A line longer than the screen is high.
          yield* type("C-u", "w".repeat(600), "C-a")
          yield* shows(`> ${"w".repeat(48)}${`\n${"w".repeat(50)}`.repeat(7)}`, "2,0")
          yield* type("C-e")
          yield* shows(`${`${"w".repeat(50)}\n`.repeat(7)}ww`, "2,7")
          yield* type("C-u", "echo done", "Enter")
          yield* shows("> echo done\ndone\n>")
        }).pipe(Effect.scoped, Effect.provide(TelnetShell.layer()), Effect.provide(NodeReactor.layer)),
      60_000
    )
  })
})
