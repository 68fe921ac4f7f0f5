/** Ours, in frames with a length of 4 bytes: `MODE` chooses between `receiveEach` and a loop of `receive`. */
import * as Effect from "effect/Effect"
import { LengthPrefixed } from "spindle/framing"
import { serve } from "./spindle.ts"

const each = (frames: LengthPrefixed.LengthPrefixed) => frames.receiveEach(frames.send)

const pull = Effect.fnUntraced(function* (frames: LengthPrefixed.LengthPrefixed) {
  while (true) yield* frames.send(yield* frames.receive)
})

const over = LengthPrefixed.over()
serve(process.env.MODE === "receive" ? over(pull) : over(each))
