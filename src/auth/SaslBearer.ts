/** OAUTHBEARER, RFC 7628, and XOAUTH2, which came before it: a token instead of a password. */
import * as Redacted from "effect/Redacted"
import { textOf, utf8 } from "./bytesOf.ts"
import { Bearer } from "./Credentials.ts"
import { NotAuthenticated } from "./SaslError.ts"
import {
  type Awaiting,
  type ClientMechanism,
  completed,
  malformed,
  notAuthenticated,
  oneResponse,
  type ServerMechanism,
  type ServerState
} from "./SaslMechanism.ts"
import { succeeded } from "./SaslMechanism.ts"
import { decodeName, encodeName } from "./SaslScramWire.ts"

export const oauthBearer = "OAUTHBEARER"
export const xoauth2 = "XOAUTH2"

/** RFC 7628 §3.2.2: what a client whose token is refused is told, before the exchange fails. */
const refusal = utf8(JSON.stringify({ status: "invalid_token" }))
const refused: ServerState = {
  _tag: "Challenge",
  challenge: refusal,
  response: () => notAuthenticated
}

const ask = (username: string | undefined, authorization: string | undefined): ServerState => {
  // RFC 6750: the scheme's case does not matter; a token is one word.
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? "")?.[1]
  if (token === undefined) return malformed("there is no bearer token")
  return {
    _tag: "AskLogin",
    credentials: new Bearer({ username, token: Redacted.make(token) }),
    granted: succeeded,
    refused
  }
}

const fieldsOf = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split("\x01").flatMap((field) => {
      const at = field.indexOf("=")
      return at > 0 ? [[field.slice(0, at), field.slice(at + 1)] as const] : []
    })
  )

export const serverOauthBearer: ServerMechanism = oneResponse(oauthBearer, (response) => {
  const text = textOf(response)
  const end = text?.indexOf("\x01") ?? -1
  if (text === undefined || end < 0 || !text.endsWith("\x01\x01")) return malformed("the response has no end")
  const header = /^([ny]),(?:a=([^,]+))?,$/.exec(text.slice(0, end))
  if (header === null) return malformed("the response has no header of GS2 without channel binding")
  const username = header[2] === undefined ? undefined : decodeName(header[2])
  if (header[2] !== undefined && username === undefined) return malformed("the name is not escaped")
  return ask(username, fieldsOf(text.slice(end)).get("auth"))
})

export const serverXoauth2: ServerMechanism = oneResponse(xoauth2, (response) => {
  const text = textOf(response)
  if (text === undefined || !text.endsWith("\x01\x01")) return malformed("the response has no end")
  const fields = fieldsOf(text)
  return ask(fields.get("user"), fields.get("auth"))
})

/** Sends the token; a challenge tells why it is refused, and is answered so that the server can say no. */
const client = (name: string, response: Uint8Array, answer: Uint8Array): ClientMechanism => ({
  name,
  start: {
    _tag: "Awaiting",
    response,
    challenge: (bytes): Awaiting => ({
      _tag: "Awaiting",
      response: answer,
      challenge: () => malformed("a second challenge"),
      success: () => ({
        _tag: "Failed",
        reason: new NotAuthenticated({ detail: textOf(bytes)?.slice(0, 200) })
      })
    }),
    success: () => completed
  }
})

export const clientOauthBearer = (token: string, username?: string): ClientMechanism =>
  client(
    oauthBearer,
    utf8(`n,${username === undefined ? "" : `a=${encodeName(username)}`},\x01auth=Bearer ${token}\x01\x01`),
    Uint8Array.of(1)
  )

export const clientXoauth2 = (token: string, username: string): ClientMechanism =>
  client(xoauth2, utf8(`user=${username}\x01auth=Bearer ${token}\x01\x01`), new Uint8Array(0))
