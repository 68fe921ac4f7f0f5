/** Ours: `MODE` chooses between `receiveEach` and a loop of `receive`. */
import { each, pull } from "./echo.ts"
import { serve } from "./spindle.ts"

serve(process.env.MODE === "receive" ? pull : each)
