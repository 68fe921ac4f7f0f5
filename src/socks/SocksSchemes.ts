/** `socks5:proxy:1080:tcp:example.org:80`, for descriptions: `EndpointDescription.parseClient(text, { schemes: SocksSchemes.all })`. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Endpoint from "../reactor/Endpoint.ts"
import * as Argument from "../reactor/EndpointArgument.ts"
import { type EndpointScheme, form, make } from "../reactor/EndpointScheme.ts"
import * as SocksEndpoint from "./SocksEndpoint.ts"

const place = {
  host: { kind: Argument.host, position: 0, required: true, doc: "the proxy" },
  port: { kind: Argument.peerPort, position: 1, required: true, doc: "its port, usually 1080" }
} as const

const resolve = {
  kind: Argument.choice(["remote", "local"]),
  doc: "who looks names up: the proxy, or this machine; default remote"
} as const

/** The one line of a file. */
const password: Argument.FileKind<Redacted.Redacted> = {
  _tag: "File",
  placeholder: "FILE",
  decode: (contents) => {
    const text = new TextDecoder().decode(contents).replace(/\r?\n$/, "")
    return text === "" || /[\r\n]/.test(text)
      ? Result.fail({ expected: "password on one line" })
      : Result.succeed(Redacted.make(text))
  }
}

const proxyAt = (host: string, port: number): Endpoint.Client => Endpoint.tcpClient({ host, port })

export const socks5: EndpointScheme = make({
  name: "socks5",
  doc: "another endpoint, through a SOCKS 5 proxy",
  clientWrapper: form({
    arguments: {
      ...place,
      username: { kind: Argument.text, placeholder: "NAME", doc: "who logs in; default nobody" },
      passwordFile: { kind: password, doc: "what holds the password" },
      resolve
    },
    check: ({ passwordFile, username }) =>
      (passwordFile === undefined) === (username === undefined)
        ? undefined
        : {
            argument: passwordFile === undefined ? "username" : "passwordFile",
            detail: "username and passwordFile go together"
          },
    make: ({ host, passwordFile, port, resolve, username }) =>
      SocksEndpoint.through({
        proxy: proxyAt(host, port),
        resolve,
        login:
          username === undefined || passwordFile === undefined
            ? undefined
            : { user: username, password: passwordFile }
      })
  })
})

export const socks4: EndpointScheme = make({
  name: "socks4",
  doc: "another endpoint, through a SOCKS 4 proxy; 4a, unless names are looked up here",
  clientWrapper: form({
    arguments: {
      ...place,
      userId: { kind: Argument.text, placeholder: "NAME", doc: "who we say that we are; default nobody" },
      resolve
    },
    make: ({ host, port, resolve, userId }) =>
      SocksEndpoint.through({ proxy: proxyAt(host, port), version: 4, resolve, userId })
  })
})

export const all: ReadonlyArray<EndpointScheme> = [socks5, socks4]
