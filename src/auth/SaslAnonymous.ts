/** ANONYMOUS, RFC 4505: nobody in particular, with a word for the log. */
import { textOf, utf8 } from "./bytesOf.ts"
import { anonymous } from "./Credentials.ts"
import {
  type ClientMechanism,
  malformed,
  notAuthenticated,
  oneAnswer,
  oneResponse,
  type ServerMechanism,
  succeeded
} from "./SaslMechanism.ts"

export const name = "ANONYMOUS"

/** RFC 4505 §2: at most that many characters of trace. */
const traceMax = 255

export const server: ServerMechanism = oneResponse(name, (response) => {
  const trace = textOf(response)
  if (trace === undefined || Array.from(trace).length > traceMax || /\p{Cc}/u.test(trace)) {
    return malformed("the trace is no text of at most 255 characters")
  }
  return {
    _tag: "AskLogin",
    credentials: anonymous(trace === "" ? undefined : trace),
    granted: succeeded,
    refused: notAuthenticated
  }
})

export const client = (trace = ""): ClientMechanism => oneAnswer(name, utf8(trace))
