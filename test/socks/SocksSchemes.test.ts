/** `socks5:...` and `socks4:...` in descriptions: what they mean, what is quoted, what is wrong with them. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as NodeReadFiles from "../../src/node/NodeReadFiles.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as EndpointFormat from "../../src/reactor/EndpointFormat.ts"
import type { SocksEndpoint } from "../../src/socks/SocksEndpoint.ts"
import * as SocksSchemes from "../../src/socks/SocksSchemes.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-socks-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))
const file = path.join(folder, "password")
fs.writeFileSync(file, "se:cret \n")

const parse = (text: string) =>
  EndpointDescription.parseClient(text, { schemes: SocksSchemes.all }).pipe(
    Effect.provideService(FileSystem.FileSystem, NodeReadFiles.make)
  )
const socksOf = (endpoint: Endpoint.Client) => (endpoint as SocksEndpoint).socks

describe("descriptions", () => {
  it.effect("a proxy, and behind it a target: hosts with colons, users with anything", () =>
    Effect.gen(function* () {
      const plain = socksOf(yield* parse("socks5:proxy:1080:tcp:example.org:80"))
      assert.deepStrictEqual(plain.options.proxy, Endpoint.tcpClient({ host: "proxy", port: 1080 }))
      assert.deepInclude(plain.target, { _tag: "TcpClient", host: "example.org", port: 80 })
      for (const host of ["[::1]", String.raw`\:\:1`]) {
        const six = socksOf(yield* parse(`socks5:${host}:1080:tcp:[2001:db8::1]:80`))
        assert.deepInclude(six.options.proxy, { host: "::1", port: 1080 })
        assert.deepInclude(six.target, { host: "2001:db8::1" })
      }
      const known = socksOf(
        yield* parse(String.raw`socks5:p:1:username=a\:b\\c=d:passwordFile=${file}:tcp:h:2`)
      )
      assert.strictEqual(known.options.login?.user, String.raw`a:b\c=d`)
      assert.strictEqual(Redacted.value(known.options.login!.password), "se:cret ")
      const four = socksOf(yield* parse("socks4:p:1:userId=bob:resolve=local:tcp:h:2"))
      assert.deepInclude(four.options, { version: 4, userId: "bob", resolve: "local" })
    })
  )

  it.effect("are printed so that they can be read again, without the password", () =>
    Effect.gen(function* () {
      for (const text of [
        "socks5:proxy:1080:tcp:example.org:80",
        String.raw`socks4:proxy:1080:userId=a\:b:tcp:example.org:80`,
        "socks4:proxy:1080:resolve=local:tcp:example.org:80"
      ]) {
        const printed = EndpointFormat.format(yield* parse(text))
        assert.strictEqual(printed, text)
        assert.deepStrictEqual(EndpointFormat.format(yield* parse(printed)), printed)
      }
      const secret = yield* parse(`socks5:p:1:username=bob:passwordFile=${file}:tcp:h:2`)
      assert.strictEqual(EndpointFormat.format(secret), "socks5:p:1:username=bob:tcp:h:2")
      assert.notInclude(JSON.stringify(secret), "cret")
    })
  )

  it.effect("what is wrong is said", () =>
    Effect.gen(function* () {
      for (const [text, what] of [
        ["socks5:proxy:1080", /socks5/],
        ["socks5:proxy:0:tcp:h:1", /port/],
        ["socks5:proxy:65536:tcp:h:1", /port/],
        ["socks5:proxy:1080:username=bob:tcp:h:1", /username and passwordFile go together/],
        [`socks5:proxy:1080:passwordFile=${file}:tcp:h:1`, /username and passwordFile go together/],
        [`socks5:proxy:1080:username=bob:passwordFile=${folder}/none:tcp:h:1`, /passwordFile/],
        ["socks5:proxy:1080:resolve=maybe:tcp:h:1", /remote/],
        ["socks4:proxy:1080:username=bob:tcp:h:1", /username/]
      ] as const) {
        const { message } = yield* Effect.flip(parse(text))
        assert.match(message, what, text)
        assert.notInclude(message, "se:cret")
      }
    })
  )
})
