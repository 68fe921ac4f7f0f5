/**
 * CRAM-MD5, RFC 2195: `name HMAC-MD5(password, challenge)`. The password is not sent, but whoever listens can try passwords at
 * leisure, and the server has to keep it as it is. For old peers.
 */
import * as Hex from "effect/encoding/Hex"
import * as Result from "effect/Result"
import { textOf, utf8 } from "./bytesOf.ts"
import { equalBytes } from "./constantTime.ts"
import { PasswordProof } from "./Credentials.ts"
import { hmac, md5 } from "./Hash.ts"
import {
  type ClientMechanism,
  completed,
  malformed,
  notAuthenticated,
  type ServerMechanism,
  succeeded
} from "./SaslMechanism.ts"

export const name = "CRAM-MD5"

/** 16 bytes in lower-case hexadecimal. */
const digestForm = /^[0-9a-f]{32}$/

/** The challenge, such as `<1896.697170952@postoffice.example.net>`: it must be a new one each time, and not be guessed. */
export const server = (challenge: string): ServerMechanism => ({
  name,
  start: (initial) =>
    initial !== undefined
      ? malformed("an initial response, where the server speaks first")
      : {
          _tag: "Challenge",
          challenge: utf8(challenge),
          response: (bytes) => {
            const text = textOf(bytes) ?? ""
            // A name may have spaces.
            const space = text.lastIndexOf(" ")
            const username = text.slice(0, Math.max(0, space))
            const digest = text.slice(space + 1).toLowerCase()
            if (username === "" || !digestForm.test(digest)) {
              return malformed("the response is not: name, space, digest")
            }
            return {
              _tag: "AskLogin",
              credentials: proof(username, utf8(challenge), digest),
              granted: succeeded,
              refused: notAuthenticated
            }
          }
        }
})

const proof = (username: string, challenge: Uint8Array, digest: string): PasswordProof => {
  const given = Result.getOrThrow(Hex.decode(digest))
  return new PasswordProof({
    username,
    mechanism: name,
    proves: (password) => equalBytes(hmac(md5, password, challenge), given)
  })
}

export const client = (username: string, password: string): ClientMechanism => ({
  name,
  start: {
    _tag: "Awaiting",
    response: undefined,
    challenge: (challenge) => ({
      _tag: "Awaiting",
      response: utf8(`${username} ${Hex.encode(hmac(md5, utf8(password), challenge))}`),
      challenge: () => malformed("a second challenge"),
      success: () => completed
    }),
    success: () => completed
  }
})
