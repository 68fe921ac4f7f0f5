/** The rules of the house, on the tree as it is; and each rule on a small tree that breaks it, so that it is known to see. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Rules from "./support/architecture.ts"
import { fromTexts, read } from "./support/sourceTree.ts"

const root = path.join(import.meta.dirname, "..")
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}
const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
const tree = read(path.join(root, "src"))

/** Nothing breaks the rule in `src`. */
const holds = (rule: Rules.Rule): void => assert.deepStrictEqual(rule(tree), [])

/** In this tree, the rule finds exactly this. */
const finds = (
  rule: Rules.Rule,
  texts: Readonly<Record<string, string>>,
  broken: ReadonlyArray<string>
): void => assert.deepStrictEqual(rule(fromTexts(texts)), broken)

/** Each text alone breaks the rule, on its last line, and is told as `what`. */
const findsEach = (rule: Rules.Rule, file: string, cases: Readonly<Record<string, string>>): void => {
  for (const [text, what] of Object.entries(cases)) {
    finds(rule, { [file]: text }, [`${file}:${text.split("\n").length} ${what}`])
  }
}

/** Each text alone is fine. */
const allows = (rule: Rules.Rule, file: string, texts: ReadonlyArray<string>): void => {
  for (const text of texts) finds(rule, { [file]: text }, [])
}

describe("architecture", () => {
  it("reads a tree that is there", () => {
    assert.isAbove(tree.sources.length, 10)
    assert.isTrue(tree.paths.has("reactor/Transport.ts"))
  })

  describe("imports", () => {
    it("lower floors never import higher ones", () => holds(Rules.floorsHold))
    it("lower floors never import higher ones: seen", () => {
      finds(
        Rules.floorsHold,
        {
          "result/Failure.ts": `import type { Reactor } from "../reactor/Reactor.ts"`,
          "reactor/Turn.ts": `import { a } from "./Other.ts"\nexport * from "../framing/Lines.ts"`,
          "framing/Lines.ts": `const server = await import("../protocol/Server.ts")`,
          "protocol/Server.ts": `import "../framing/Lines.ts"\nimport "../node/NodeReactor.ts"`,
          "memory/MemoryReactor.ts": `import "../reactor/Turn.ts"\nimport "../node/NodeReactor.ts"`,
          "node/NodeReactor.ts": `export type P = import("../protocol/Server.ts").Protocol`,
          "testing/Suite.ts": `import "../memory/MemoryReactor.ts"\nimport "../node/NodeReactor.ts"`,
          "smtp/SmtpServer.ts": `import "../protocol/Server.ts"\nimport "../index.ts"`,
          "app/Daemon.ts": `import "../node/NodeReactor.ts"\nimport "../testing/Suite.ts"`,
          "index.ts": `export * as Daemon from "./app/Daemon.ts"`
        },
        [
          "result/Failure.ts:1 result/ may not import reactor/ (reactor/Reactor.ts)",
          "reactor/Turn.ts:2 reactor/ may not import framing/ (framing/Lines.ts)",
          "framing/Lines.ts:1 framing/ may not import protocol/ (protocol/Server.ts)",
          "protocol/Server.ts:2 protocol/ may not import node/ (node/NodeReactor.ts)",
          "memory/MemoryReactor.ts:2 memory/ may not import node/ (node/NodeReactor.ts)",
          "node/NodeReactor.ts:1 node/ may not import protocol/ (protocol/Server.ts)",
          "testing/Suite.ts:2 testing/ may not import node/ (node/NodeReactor.ts)",
          "smtp/SmtpServer.ts:2 smtp/ may not import the top (index.ts)",
          "app/Daemon.ts:2 app/ may not import testing/ (testing/Suite.ts)"
        ]
      )
    })

    it("a family never imports another family's conversation", () => holds(Rules.familiesKeepApart))
    it("a family never imports another family's conversation: seen", () =>
      finds(
        Rules.familiesKeepApart,
        {
          "imap/ImapServer.ts": `import "../smtp/SmtpWire.ts"\nimport type { D } from "../smtp/SmtpDelivery.ts"`,
          "pop3/index.ts": `export * from "../imap/index.ts"`,
          "smtp/SmtpServer.ts": `import "./SmtpDelivery.ts"\nimport "../auth/Portal.ts"`
        },
        [
          "imap/ImapServer.ts:2 imap/ may import only smtp's Wire, Session and Error, not smtp/SmtpDelivery.ts",
          "pop3/index.ts:1 pop3/ may import only imap's Wire, Session and Error, not imap/index.ts"
        ]
      ))

    it("only node/ imports what touches the platform", () => holds(Rules.platformStaysInNode))
    it("only node/ imports what touches the platform: seen", () => {
      for (const module of ["net", "tls", "dgram", "child_process", "worker_threads", "fs/promises"]) {
        findsEach(Rules.platformStaysInNode, "memory/A.ts", {
          [`import * as m from "node:${module}"`]: `only node/ may import node:${module}`,
          [`import type { A } from "${module}"`]: `only node/ may import ${module}`
        })
        allows(Rules.platformStaysInNode, "node/A.ts", [`import * as m from "node:${module}"`])
      }
      allows(Rules.platformStaysInNode, "http/A.ts", [`import { Buffer } from "node:buffer"`])
    })

    it("packages are declared in package.json", () => holds(Rules.packagesAreDeclared(dependencies)))
    it("packages are declared in package.json: seen", () => {
      findsEach(Rules.packagesAreDeclared(["effect"]), "testing/A.ts", {
        [`import * as Effect from "effect/Effect"\nimport { it } from "@effect/vitest"`]:
          "@effect/vitest is not among the package's dependencies",
        [`export * from "left-pad/dist/index.js"`]: "left-pad is not among the package's dependencies"
      })
    })

    it("every import leads to a file", () => holds(Rules.importsResolve))
    it("every import leads to a file: seen", () =>
      finds(
        Rules.importsResolve,
        { "reactor/A.ts": `import "./B.ts"\nimport "./B.js"\nimport "../../test/C.ts"`, "reactor/B.ts": "" },
        ["reactor/A.ts:2 ./B.js leads nowhere", "reactor/A.ts:3 ../../test/C.ts leads nowhere"]
      ))

    it("no file needs itself to start", () => holds(Rules.noCycles))
    it("no file needs itself to start: seen", () => {
      const cycle = {
        "a/A.ts": `import "./B.ts"`,
        "a/B.ts": `export * from "./C.ts"`,
        "a/C.ts": `import "./D.ts"\nimport { b } from "./B.ts"`,
        "a/D.ts": ""
      }
      finds(Rules.noCycles, cycle, ["a/B.ts -> a/C.ts -> a/B.ts is a cycle"])
      finds(Rules.noCycles, { ...cycle, "a/C.ts": `import { type T, type U } from "./B.ts"` }, [])
    })
  })

  describe("purity", () => {
    it("Wire and Session are pure", () => holds(Rules.wireIsPure))
    it("Wire and Session are pure: seen", () => {
      findsEach(Rules.wireIsPure, "amp/AmpWire.ts", {
        [`import * as Effect from "effect/Effect"`]: "effect/Effect is not pure",
        [`import * as Clock from "effect/Clock"`]: "effect/Clock is not pure",
        [`import { Effect } from "effect"`]: "effect is not pure",
        [`import { randomBytes } from "node:crypto"`]: "node:crypto is not pure"
      })
      allows(Rules.wireIsPure, "amp/AmpSession.ts", [
        `import * as Result from "effect/Result"\nimport * as Data from "effect/Data"`,
        `import type * as Effect from "effect/Effect"`
      ])
      allows(Rules.wireIsPure, "amp/AmpServer.ts", [`import * as Effect from "effect/Effect"`])
    })
    it("Wire and Session are pure: seen through what they import", () =>
      finds(
        Rules.wireIsPure,
        {
          "amp/AmpWire.ts": `import "../framing/Frames.ts"`,
          "framing/Frames.ts": `import type { F } from "./Framed.ts"\nimport "./Bytes.ts"`,
          "framing/Bytes.ts": `import * as Queue from "effect/Queue"`,
          "framing/Framed.ts": `import * as Effect from "effect/Effect"`
        },
        ["framing/Bytes.ts:1 effect/Queue is not pure (amp/AmpWire.ts imports it)"]
      ))

    it("no clock, timer, chance or bare promise outside node/", () => holds(Rules.nothingAmbient))
    it("no clock, timer, chance or bare promise outside node/: seen", () => {
      findsEach(Rules.nothingAmbient, "memory/A.ts", {
        "const a = Date.now()": "Date.now outside node/",
        "const now = Date.now": "Date.now outside node/",
        'const a = Date["now"]()': "Date.now outside node/",
        "const a = new Date()": "new Date() outside node/",
        "// a comment\nconst a = performance.now()": "performance.now outside node/",
        "const a = Math.random()": "Math.random outside node/",
        "const a = setTimeout(() => {}, 1)": "setTimeout outside node/",
        "globalThis.setTimeout(f, 1)": "globalThis.setTimeout outside node/",
        "const a = { defer: setImmediate }": "setImmediate outside node/",
        "const a = { setInterval }": "setInterval outside node/",
        "process.nextTick(f)": "process.nextTick outside node/",
        "queueMicrotask(f)": "queueMicrotask outside node/",
        "const a = `${new Promise<void>((r) => r())}`": "new Promise outside node/",
        "const { promise } = Promise.withResolvers()": "Promise.withResolvers outside node/"
      })
      allows(Rules.nothingAmbient, "node/A.ts", ["const a = Date.now() + setTimeout(f, 1)"])
      allows(Rules.nothingAmbient, "memory/A.ts", [
        "// Date.now(), setTimeout, new Promise\n/* Math.random() */",
        'const a = "Date.now() setTimeout(f, 1)"',
        "const a = new Date(0)",
        "const a = socket.setTimeout(1)",
        "interface A { setTimeout: Promise<void>; random: Date }",
        "const a = clock.now()"
      ])
    })

    it("effects are run by the application, not by the library", () => holds(Rules.effectsAreNotRun))
    it("effects are run by the application, not by the library: seen", () => {
      findsEach(Rules.effectsAreNotRun, "protocol/A.ts", {
        "Effect.runSync(a)": "Effect.runSync outside node/",
        "const p = Effect.runPromiseExit(a)": "Effect.runPromiseExit outside node/",
        "const run = Effect.runForkWith(context)": "Effect.runForkWith outside node/",
        "Effect.runCallback(a)": "Effect.runCallback outside node/"
      })
      allows(Rules.effectsAreNotRun, "node/A.ts", ["Effect.runFork(a)"])
      allows(Rules.effectsAreNotRun, "protocol/A.ts", ["// Effect.runSync(a)", "Effect.map(a, f)"])
    })
    it("nothing is excused without need", () => holds(Rules.excusesAreNeeded))
    it("nothing is excused without need: seen", () => {
      const texts = Object.fromEntries(
        [...Rules.runsEffects.keys()].map((file) => [file, "Effect.runForkWith(a)"])
      )
      finds(Rules.excusesAreNeeded, texts, [])
      finds(Rules.excusesAreNeeded, { ...texts, "protocol/Server.ts": "Effect.map(a, f)" }, [
        "protocol/Server.ts runs no effects: take it off the list"
      ])
    })
  })

  describe("files", () => {
    it("no any", () => holds(Rules.noAny))
    it("no any: seen", () => {
      const off = "// oxlint-disable-next-line typescript/no-explicit-any"
      findsEach(Rules.noAny, "a/A.ts", {
        "const a: any = 1": "any without a reason",
        "const f = <A extends Array<any>>(a: A) => a": "any without a reason",
        "const a = b as any": "any without a reason",
        [`const b = 1\n${off}\nconst a: any = 1`]: "any without a reason"
      })
      allows(Rules.noAny, "a/A.ts", [
        `${off} -- variance\nconst a: any = 1`,
        `// The caller's E is erased here.\n${off}\nconst a: any = 1`,
        "// any, anyhow\nconst any = { any: 'any' }"
      ])
    })

    it("no default exports", () => holds(Rules.noDefaultExport))
    it("no default exports: seen", () =>
      findsEach(Rules.noDefaultExport, "a/A.ts", {
        "export default 1": "a default export",
        "export default class A {}": "a default export",
        "const a = 1\nexport { a as default }": "a default export"
      }))

    it(`no file is longer than ${Rules.linesMax} lines`, () => holds(Rules.filesAreShort))
    it(`no file is longer than ${Rules.linesMax} lines: seen`, () => {
      const longest = "//\n".repeat(Rules.linesMax)
      finds(Rules.filesAreShort, { "a/A.ts": `${longest}//\n` }, ["a/A.ts has 501 lines, more than 500"])
      finds(Rules.filesAreShort, { "a/A.ts": longest, "a/B.generated.ts": `${longest}//\n` }, [])
    })

    it("nothing is left unfinished", () => holds(Rules.nothingUnfinished))
    it("nothing is left unfinished: seen", () => {
      for (const word of ["TODO", "FIXME"]) {
        findsEach(Rules.nothingUnfinished, "a/A.ts", { [`\n/* ${word}: more */`]: `${word} left behind` })
      }
    })

    it("an index.ts only re-exports", () => holds(Rules.indexesOnlyReexport))
    it("an index.ts only re-exports: seen", () => {
      findsEach(Rules.indexesOnlyReexport, "a/index.ts", {
        [`export * as A from "./A.ts"\nexport const b = 1`]: "an index.ts only re-exports",
        [`import { a } from "./A.ts"`]: "an index.ts only re-exports",
        "export {}": "an index.ts only re-exports"
      })
      allows(Rules.indexesOnlyReexport, "a/index.ts", [
        `/** A. */\nexport * as A from "./A.ts"\nexport type { B } from "./B.ts"`
      ])
      allows(Rules.indexesOnlyReexport, "a/A.ts", ["export const a = 1"])
    })
  })

  describe("folders", () => {
    it("every folder has its README.md", () => holds(Rules.foldersHaveReadme))
    it("every folder has its README.md: seen", () =>
      finds(
        Rules.foldersHaveReadme,
        { "index.ts": "", "README.md": "", "app/cli/Run.ts": "", "app/Daemon.ts": "", "app/README.md": "" },
        ["app/cli/README.md is missing"]
      ))

    it("every folder is an entry point, and every entry point a folder", () =>
      holds(Rules.foldersAreEntryPoints(Object.keys(manifest.exports))))
    it("every folder is an entry point, and every entry point a folder: seen", () =>
      finds(
        Rules.foldersAreEntryPoints([".", "./smtp", "./imap", "./package.json"]),
        { "index.ts": "", "smtp/SmtpWire.ts": "", "pop3/index.ts": "", "imap/index.ts": "" },
        [`pop3/ is no entry point: package.json exports no "./pop3"`, "smtp/index.ts is missing"]
      ))
  })
})
