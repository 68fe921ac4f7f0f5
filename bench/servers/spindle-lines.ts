/** Ours, in lines: `MODE` chooses between `receiveEach` and a loop of `receive`. */
import * as Effect from "effect/Effect"
import { Lines } from "spindle/framing"
import { serve } from "./spindle.ts"

const each = (lines: Lines.Lines) => lines.receiveEach(lines.send)

const pull = Effect.fnUntraced(function* (lines: Lines.Lines) {
  while (true) yield* lines.send(yield* lines.receive)
})

const over = Lines.over()
serve(process.env.MODE === "receive" ? over(pull) : over(each))
