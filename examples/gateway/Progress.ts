/** A progress bar on a terminal; nothing where the output goes elsewhere. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const width = 40
const redrawMillis = 50

export interface Progress {
  readonly advance: (done: number) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (total: number): Effect.fn.Return<Progress> {
  const begin = yield* Clock.currentTimeMillis
  const shown = process.stdout.isTTY
  let drawnAt = 0
  let done = 0

  const draw = (now: number) => {
    const filled = Math.round((done / total) * width)
    const rate = Math.round(done / Math.max(0.001, (now - begin) / 1_000)).toLocaleString("en-US")
    const percent = String(Math.floor((done / total) * 100)).padStart(3)
    process.stdout.write(
      `\r[${"#".repeat(filled)}${".".repeat(width - filled)}] ${percent} %  ${rate} readings/s `
    )
  }

  return {
    advance: (now) =>
      Effect.map(Clock.currentTimeMillis, (time) => {
        done = now
        if (!shown || time - drawnAt < redrawMillis) return
        drawnAt = time
        draw(time)
      }),
    end: Effect.map(Clock.currentTimeMillis, (time) => {
      if (!shown) return
      draw(time)
      process.stdout.write("\n")
    })
  }
})
