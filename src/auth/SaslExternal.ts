/** EXTERNAL, RFC 4422 appendix A: who it is has been found out below, by a certificate or the kernel. */
import { textOf, utf8 } from "./bytesOf.ts"
import { External } from "./Credentials.ts"
import {
  type ClientMechanism,
  malformed,
  notAuthenticated,
  oneAnswer,
  oneResponse,
  type ServerMechanism,
  succeeded
} from "./SaslMechanism.ts"

export const name = "EXTERNAL"

/** `identity` is what the connection proved: the subject of a certificate that was verified, the name of a user id. */
export const server = (identity: string): ServerMechanism =>
  oneResponse(name, (response) => {
    const wanted = textOf(response)
    if (wanted === undefined || wanted.includes("\0")) return malformed("the authorization is no text")
    return {
      _tag: "AskLogin",
      credentials: new External({ identity, authorizationId: wanted === "" ? undefined : wanted }),
      granted: succeeded,
      refused: notAuthenticated
    }
  })

/** As whom to act; by default as whoever the connection says. */
export const client = (authorizationId = ""): ClientMechanism => oneAnswer(name, utf8(authorizationId))
