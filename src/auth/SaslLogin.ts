/**
 * LOGIN, which no RFC has (draft-murchison-sasl-login): the server asks for the name and for the password. Older than PLAIN, as
 * readable to others, and still what some programs of mail know alone.
 */
import { textOf, utf8 } from "./bytesOf.ts"
import { usernamePassword } from "./Credentials.ts"
import {
  type ClientMechanism,
  completed,
  malformed,
  notAuthenticated,
  type ServerMechanism,
  type ServerState,
  succeeded
} from "./SaslMechanism.ts"

export const name = "LOGIN"

const askPassword = (response: Uint8Array): ServerState => {
  const username = textOf(response)
  if (!username) return malformed("the name is empty, or no UTF-8")
  return {
    _tag: "Challenge",
    challenge: utf8("Password:"),
    response: (bytes) => {
      const password = textOf(bytes)
      return password
        ? {
            _tag: "AskLogin",
            credentials: usernamePassword(username, password),
            granted: succeeded,
            refused: notAuthenticated
          }
        : malformed("the password is empty, or no UTF-8")
    }
  }
}

export const server: ServerMechanism = {
  name,
  // Some clients send the name at once.
  start: (initial) =>
    initial === undefined
      ? { _tag: "Challenge", challenge: utf8("Username:"), response: askPassword }
      : askPassword(initial)
}

/** Answers the first challenge with the name and the second with the password, whatever they say: servers differ. */
export const client = (username: string, password: string): ClientMechanism => {
  const tooMuch = () => malformed("a third challenge")
  const tooSoon = () => completed
  return {
    name,
    start: {
      _tag: "Awaiting",
      response: undefined,
      challenge: () => ({
        _tag: "Awaiting",
        response: utf8(username),
        challenge: () => ({
          _tag: "Awaiting",
          response: utf8(password),
          challenge: tooMuch,
          success: () => completed
        }),
        success: tooSoon
      }),
      success: tooSoon
    }
  }
}
