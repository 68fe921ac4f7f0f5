/** Whole sessions, with whatever comes: keys and options, by chance. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import * as TelnetShell from "../../src/telnet/TelnetShell.ts"
import { fuzzSessions } from "../support/fuzzSessions.ts"

const words = [
  "\xff\xfb",
  "\xff\xfc",
  "\xff\xfd",
  "\xff\xfe",
  "\xff\xfa",
  "\xff\xf0",
  "\xff\xf4",
  "\xff\xf6",
  "\xff\xf5",
  "\xff\xff",
  "\0",
  "\x01",
  "\x03",
  "\x18",
  "\x1f",
  "\x22",
  "\x2a",
  "\r",
  "\n",
  "\r\n",
  "\t",
  "\x1b",
  "\x1b[A",
  "\x1b[200~",
  "\x1b[201~",
  "\x1b[D",
  "\x04",
  "\x12",
  "\x17",
  "\x19",
  "\x1f",
  "\x15",
  "help",
  "echo ",
  "count\r",
  "terminal\r",
  "history\r",
  "\xc3\xa4",
  "\xf0\x9f",
  "x"
]
const interactive = "\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfb\x18\xff\xfa\x18\0XTERM\xff\xf0"
const examples = [
  `${interactive}\xff\xfb\x1f\xff\xfa\x1f\0\x14\0\x05\xff\xf0echo one two three\r`,
  `${interactive}count\r\x03help\rhe\t\t\x12e\x1b[A\r\x1b[200~a\rb\x1b[201~\r`,
  "\xff\xfb\x22\xff\xfa\x22\x01\x07\xff\xf0\xff\xfa\x22\x03\x03\x02\x07\xff\xf0one\r\n\xff\xf4",
  "echo plain\r\nterminal\r\nquit\r\n"
]
describe("fuzzing whole sessions", () => {
  for (const lineMode of [false, true]) {
    it.effect(
      lineMode ? "in line mode" : "key by key",
      () =>
        fuzzSessions(
          (transport) =>
            Effect.provideService(
              TelnetServer.protocol({ lineMode })(transport),
              TelnetShell.TelnetShell,
              TelnetShell.example
            ),
          // A word may have the line drawn anew, or a list shown.
          { words, examples, sessions: 400, answerBytesMax: (bytes) => 6_000 + 500 * bytes }
        ),
      60_000
    )
  }
})
