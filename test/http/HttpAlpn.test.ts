import { assert, describe, it } from "@effect/vitest"
import * as HttpAlpn from "../../src/http/HttpAlpn.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"

const identity = { certificate: "", privateKey: "" }
const tcp = Endpoint.tcp({ port: 0 })
const alpnOf = (endpoint: Endpoint.Server) => ("tls" in endpoint ? endpoint.tls.alpn : undefined)

describe("HttpAlpn.offering", () => {
  it("offers what there is, where nobody has chosen", () => {
    const versions = ["h2", "http/1.1", "http/1.0"]
    const tls = Endpoint.tls({ port: 0, tls: { identity } })
    assert.deepStrictEqual(alpnOf(HttpAlpn.offering(tls)), versions)
    assert.deepStrictEqual(
      alpnOf(HttpAlpn.offering(Endpoint.secured({ inner: tcp, tls: { identity } }))),
      versions
    )
    assert.strictEqual(HttpAlpn.offering(tls, { http2: false }), tls)
    assert.strictEqual(HttpAlpn.offering(tcp), tcp)
    const chosen = Endpoint.tls({ port: 0, tls: { identity, alpn: ["http/1.1"] } })
    assert.deepStrictEqual(alpnOf(HttpAlpn.offering(chosen)), ["http/1.1"])
    const asked = Endpoint.tls({ port: 0, tls: { identity, selectAlpn: () => "h2" } })
    assert.strictEqual(alpnOf(HttpAlpn.offering(asked)), undefined)
  })
})
