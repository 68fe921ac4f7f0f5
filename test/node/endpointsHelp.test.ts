/** What a person is told about descriptions: the help, and what is said of plausible mistakes. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as EndpointSchemes from "../../src/reactor/EndpointSchemes.ts"
import { dial, live, type Needs, open, workshop } from "./endpoints.ts"

const uses = {
  server: ["server", "serverWrapper"],
  client: ["client", "clientWrapper"],
  udp: ["udp", "udpConnected"]
} as const

describe("help", () => {
  for (const use of ["server", "client", "udp"] as const) {
    const text = EndpointDescription.help(use)
    const blocks = text.split("\n\n")
    const forms = EndpointSchemes.all.flatMap((scheme) =>
      uses[use].flatMap((key) => {
        const form = scheme[key]
        return form === undefined ? [] : [{ scheme, form, isWrapper: key.endsWith("Wrapper") }]
      })
    )

    it(`${use}: a block for every scheme, and one about what they share`, () => {
      assert.isAbove(forms.length, 1)
      assert.deepStrictEqual(
        blocks.map((block) => /^[a-z0-9]+/.exec(block)![0]),
        [...forms.map(({ scheme }) => scheme.name), ...(use === "udp" ? [] : ["of"])]
      )
      // No line wraps in a wide terminal, and nothing is undefined.
      for (const line of text.split("\n")) assert.isAtMost(line.length, 170, line)
      assert.notMatch(text, /undefined|\[object/)
    })

    it(`${use}: every argument has its line, there or behind`, () => {
      for (const [i, { form, isWrapper, scheme }] of forms.entries()) {
        const block = blocks[i]!
        const shared = use === "udp" ? "" : blocks.at(-1)!
        assert.include(block, `\n  ${scheme.doc}`)
        for (const alias of scheme.aliases ?? []) assert.include(block, alias)
        for (const [name, { doc }] of Object.entries(form.arguments)) {
          const line = new RegExp(`^  ${name}=\\S+ +(.*)$`, "m")
          assert.strictEqual((line.exec(block) ?? line.exec(shared))?.[1], doc, `${name} of ${scheme.name}`)
        }
        assert.strictEqual(/:ENDPOINT\n/.test(block), isWrapper)
        assert.strictEqual(/\n {2}ENDPOINT +another endpoint/.test(block), isWrapper)
      }
    })
  }

  it("says each thing once", () => {
    const text = EndpointDescription.help("server")
    for (const name of ["closeTimeout", "keepAlive", "backlog"]) {
      assert.strictEqual(text.split(`\n  ${name}=`).length, 2, name)
    }
  })
})

describe("mistakes", () => {
  const mistakes: ReadonlyArray<
    readonly [use: "server" | "client", text: string, lines: ReadonlyArray<string | RegExp>]
  > = [
    ["server", "8080", ['unknown scheme "8080"', "  8080", "  ^^^^", 'did you mean "tcp:8080"?']],
    [
      "server",
      "tcp:127.0.0.1:8080",
      [
        'port of tcp must be a decimal number from 0 to 65535, not "127.0.0.1"',
        "  tcp:127.0.0.1:8080",
        "      ^^^^^^^^^",
        "the address to listen on is given as interface=ADDRESS"
      ]
    ],
    [
      "server",
      "tls:443:certificates=/etc/ssl:clientCertificate=require",
      [
        "clientCertificate=require needs clientAuthorities: who vouches for the clients",
        "  tls:443:certificates=/etc/ssl:clientCertificate=require",
        "                                ^^^^^^^^^^^^^^^^^^^^^^^^^"
      ]
    ],
    [
      "server",
      "tls:443:certificates=$directory/nowhere",
      [/^cannot listen on tls:443:certificates=.*: no identities from .*nowhere: .* it does not exist$/]
    ],
    [
      "server",
      "tls:443:privateKey=$directory/none.pem",
      [/^privateKey of tls names ".*", which does not exist$/]
    ],
    [
      "server",
      "unix:$directory/x:mode=rw-rw----",
      ['mode of unix must be permissions in octal, such as 666 or 600, not "rw-rw----"']
    ],
    ["server", "haproxy:tcp:80", ["trusted of haproxy is missing"]],
    [
      "server",
      "secured:privateKey=k.pem",
      [
        "secured stands before another endpoint, which is missing",
        "  secured:privateKey=k.pem",
        "                          ^",
        "what follows its own arguments is the other endpoint, such as tcp:8080"
      ]
    ],
    [
      "server",
      "haproxy:trusted=fd00::/8:tcp:80",
      [
        /^trusted of haproxy must be IP addresses or networks/,
        "  haproxy:trusted=fd00::/8:tcp:80",
        "                  ^^^^",
        "if an IPv6 address is meant, write it in brackets, as [::1]"
      ]
    ],
    [
      "client",
      "secured:hostname=a:tls:b:443x",
      [
        'port of tls must be a decimal number from 1 to 65535, not "443x"',
        "  secured:hostname=a:tls:b:443x",
        "                           ^^^^"
      ]
    ],
    [
      "client",
      "tcp:example.org:80:timeout=5s",
      [
        /^timeout of tcp must be a number of seconds/,
        "  tcp:example.org:80:timeout=5s",
        "                             ^^",
        'did you mean "5"?'
      ]
    ]
  ]

  for (const [use, text, lines] of mistakes) {
    live(
      `${use} ${text}`,
      Effect.gen(function* () {
        const { directory } = yield* workshop
        const opened = use === "server" ? open : dial
        const opening: Effect.Effect<unknown, Error, Needs> = opened(text.replace("$directory", directory))
        const { message } = yield* Effect.flip(opening)
        const said = message.split("\n")
        for (const [i, line] of lines.entries()) {
          if (typeof line === "string") assert.strictEqual(said[i], line)
          else assert.match(said[i]!, line)
        }
      })
    )
  }
})

describe("the tests here", () => {
  /** The sources of the tests that open descriptions, and of what they share. */
  const texts = fs
    .readdirSync(import.meta.dirname)
    .filter((name) => name.startsWith("endpoints") && name !== path.basename(import.meta.filename))
    .map((name) => fs.readFileSync(path.join(import.meta.dirname, name), "utf8"))
    .join("\n")

  it("open every scheme, and use every argument by its name, or by its place", () => {
    for (const scheme of EndpointSchemes.all) {
      assert.match(texts, new RegExp(`["\`:]${scheme.name}:`), scheme.name)
      for (const key of Object.values(uses).flat()) {
        for (const [name, spec] of Object.entries(scheme[key]?.arguments ?? {})) {
          const words = [name, ...(spec.aliases ?? [])]
          // An argument may be put in: `:${argument}=yes`.
          const isUsed = words.some((word) => new RegExp(`[:"\`]${word}(=|"[,\\]])`).test(texts))
          assert.isTrue(isUsed, `${name} of ${scheme.name}`)
        }
      }
    }
  })
})
