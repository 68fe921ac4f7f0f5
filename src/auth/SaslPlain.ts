/** PLAIN, RFC 4616: `authzid NUL authcid NUL password`. For connections that nobody can listen to. */
import { textOf, utf8 } from "./bytesOf.ts"
import { usernamePassword } from "./Credentials.ts"
import {
  type ClientMechanism,
  malformed,
  notAuthenticated,
  oneAnswer,
  oneResponse,
  type ServerMechanism,
  succeeded
} from "./SaslMechanism.ts"

export const name = "PLAIN"

export const server: ServerMechanism = oneResponse(name, (response) => {
  const parts = textOf(response)?.split("\0")
  if (parts === undefined) return malformed("the response is no UTF-8")
  const [authorizationId, username, password] = parts
  if (parts.length !== 3 || !username || !password) {
    return malformed("the response is not: authorization, NUL, name, NUL, password")
  }
  return {
    _tag: "AskLogin",
    credentials: usernamePassword(username, password, authorizationId || undefined),
    granted: succeeded,
    refused: notAuthenticated
  }
})

/** Nothing of it may have a NUL: the choice of mechanisms looks to that. */
export const client = (username: string, password: string, authorizationId = ""): ClientMechanism =>
  oneAnswer(name, utf8(`${authorizationId}\0${username}\0${password}`))
