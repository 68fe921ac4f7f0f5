/** The conversation: a question is a line, and so is its answer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Lines } from "spindle/framing"
import { answer, standard } from "./calendar.js"

/** @typedef {import("./calendar.js").Calendar} Calendar */

export { parse, standard } from "./calendar.js"

/** The longest question, in bytes. A longer one is answered, and ends the connection. */
export const lineBytesMax = 200

/** Today in UTC, as `MM-DD`. The clock is Effect's, so that a test can set it. */
const today = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString().slice(5, 10))

/**
 * A protocol, for any server. `prefix` is a word that each question begins with, in capitals or not.
 *
 * @param {{ readonly calendar?: Calendar | undefined, readonly prefix?: string | undefined }} [options]
 */
export const nameday = ({ calendar = standard, prefix = "" } = {}) =>
  Lines.over({ anyNewline: true, lineBytesMax })((lines) =>
    lines
      .receiveEach((line) => {
        const isOurs = line.toUpperCase().startsWith(prefix.toUpperCase())
        return isOurs
          ? Effect.flatMap(today, (day) => lines.send(answer(calendar, line.slice(prefix.length), day)))
          : lines.send(`error: a question begins with ${prefix}`)
      })
      .pipe(Effect.catchTag("FramingError", (error) => lines.send(`error: ${error.reason.message}`)))
  )
