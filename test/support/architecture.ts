/**
 * The rules of the house, as functions from a source tree to what breaks them (one line each, `file:line what`):
 * floors, families, purity of the wire, time that comes from Effect, and how a file is written.
 */
import * as path from "node:path"
import { type Import, type Node, type SourceFile, type SourceTree, lineOf, walk } from "./sourceTree.ts"

export type Rule = (tree: SourceTree) => ReadonlyArray<string>

// --- the house ------------------------------------------------------------------------------------------

const kernel = ["result", "reactor", "framing", "protocol"]

/** Which folders a folder may import, besides itself; a folder that is not named here is a protocol family. */
const floors: Readonly<Record<string, ReadonlyArray<string> | "anything but node" | "anything">> = {
  result: [],
  reactor: ["result"],
  framing: ["result", "reactor"],
  protocol: ["result", "reactor", "framing"],
  interop: ["result", "reactor"],
  node: ["result", "reactor"],
  memory: ["result", "reactor"],
  sim: ["result", "reactor", "memory"],
  auth: kernel,
  sql: kernel,
  log: kernel,
  terminal: kernel,
  plugin: [...kernel, "log"],
  app: [...kernel, "node", "auth", "log", "plugin"],
  testing: "anything but node",
  // The files that stand in no folder: the index of the kernel, the command, and the setup of tests.
  ".": "anything"
}

const family: ReadonlyArray<string> = [...kernel, "auth", "terminal"]

/** What a family may import besides, because its engine is the platform's: HTTP is parsed by Node (llhttp), frames are read by `ws`. */
const engines: Readonly<Record<string, ReadonlyArray<string>>> = { http: ["node"], websocket: ["node"] }

const folderOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : ".")

const isFamily = (folder: string): boolean => !(folder in floors)

/** What one family may use of another: what is pure, and its errors. */
const sharedByFamilies = /(Wire|Session|Error)\.ts$/

const at = (file: SourceFile, line: number, what: string): string => `${file.path}:${line} ${what}`

const eachImport = (
  tree: SourceTree,
  judge: (file: SourceFile, imported: Import) => string | undefined
): ReadonlyArray<string> =>
  tree.sources.flatMap((file) =>
    file.imports.flatMap((imported) => {
      const what = judge(file, imported)
      return what === undefined ? [] : [at(file, imported.line, what)]
    })
  )

/** Lower floors never import higher ones; `node` and `memory` never each other; `sim` is built on the network in memory. */
export const floorsHold: Rule = (tree) =>
  eachImport(tree, (file, { target }) => {
    if (target === undefined) return undefined
    const from = folderOf(file.path)
    const to = folderOf(target)
    const allowed = floors[from] ?? [...family, ...(engines[from] ?? [])]
    if (from === to || allowed === "anything") return undefined
    // The command runs families by name.
    if (isFamily(to) && (isFamily(from) || from === "app")) return undefined
    const good = allowed === "anything but node" ? to !== "node" && to !== "." : allowed.includes(to)
    return good ? undefined : `${from}/ may not import ${to === "." ? "the top" : `${to}/`} (${target})`
  })

/** A family never imports another family's conversation. */
export const familiesKeepApart: Rule = (tree) =>
  eachImport(tree, (file, { target }) => {
    if (target === undefined) return undefined
    const from = folderOf(file.path)
    const to = folderOf(target)
    if (from === to || !isFamily(from) || !isFamily(to) || sharedByFamilies.test(target)) return undefined
    return `${from}/ may import only ${to}'s Wire, Session and Error, not ${target}`
  })

/** Imports lead to files of the tree, and stay in it. */
export const importsResolve: Rule = (tree) =>
  eachImport(tree, (_, { target, specifier }) =>
    target === undefined || tree.paths.has(target) ? undefined : `${specifier} leads nowhere`
  )

// --- modules from outside -------------------------------------------------------------------------------

/** Modules that touch the network, other processes, files, or the clock. */
const platform = new Set(
  (
    "child_process cluster dgram dns dns/promises fs fs/promises http http2 https net " +
    "os process repl timers timers/promises tls tty v8 vm worker_threads"
  ).split(" ")
)

/** Platform modules outside `node/`, and why. */
const platformAllowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  // The command: its arguments and exit code, and the version in package.json.
  "bin.ts": ["fs", "process"]
}

const nodeModule = (specifier: string): string | undefined => {
  if (specifier.startsWith("node:")) return specifier.slice(5)
  return platform.has(specifier) ? specifier : undefined
}

/** Only `node/` talks to the platform. */
export const platformStaysInNode: Rule = (tree) =>
  eachImport(tree, (file, { specifier }) => {
    const module = nodeModule(specifier)
    if (module === undefined || !platform.has(module) || folderOf(file.path) === "node") return undefined
    return platformAllowed[file.path]?.includes(module) === true
      ? undefined
      : `only node/ may import ${specifier}`
  })

/** Packages come from the list that whoever installs this has: `effect`, and Node itself. */
export const packagesAreDeclared =
  (declared: ReadonlyArray<string>): Rule =>
  (tree) =>
    eachImport(tree, (_, { specifier, target }) => {
      if (target !== undefined || nodeModule(specifier) !== undefined) return undefined
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/")
      return declared.includes(name) ? undefined : `${name} is not among the package's dependencies`
    })

// --- purity ---------------------------------------------------------------------------------------------

const isPureFile = (file: string): boolean => /(Wire|Session)\.ts$/.test(file)

/** Modules of Effect that are data and functions: nothing in them runs, waits, or reads a clock. */
const pureEffect = new Set(
  (
    "Array BigDecimal BigInt Boolean Brand Bytes ByteSize Chunk Combiner Data Duration Equal Equivalence Filter " +
    "Function Hash HashMap HashSet Inspectable Iterable Match MutableHashMap MutableHashSet MutableList Newtype " +
    "NonEmptyIterable Number Optic Option Order Ordering Pipeable Predicate Record Redacted Reducer RegExp Result " +
    "Schema SchemaGetter SchemaTransformation String Struct Symbol Trie Tuple UndefinedOr " +
    "encoding/Base64 encoding/Base64Url encoding/Hex net/IpInterface net/IpNetwork net/NetAddress"
  )
    .split(" ")
    .map((name) => `effect/${name}`)
)

const pureNode = new Set(["buffer", "string_decoder", "punycode", "assert"])

const isImpureModule = ({ specifier, target, typeOnly }: Import): boolean => {
  if (typeOnly || target !== undefined) return false
  const module = nodeModule(specifier)
  return module === undefined ? !pureEffect.has(specifier) : !pureNode.has(module)
}

/** `*Wire.ts` and `*Session.ts`, and all they import when they run: no Effect runtime, no clock, no I/O. */
export const wireIsPure: Rule = (tree) => {
  const byPath = new Map(tree.sources.map((file) => [file.path, file]))
  return tree.sources
    .filter((file) => isPureFile(file.path))
    .flatMap((root) => {
      const broken: Array<string> = []
      const seen = new Set<string>([root.path])
      const visit = (file: SourceFile): void => {
        for (const imported of file.imports) {
          if (isImpureModule(imported)) {
            const by = file === root ? "" : ` (${root.path} imports it)`
            broken.push(at(file, imported.line, `${imported.specifier} is not pure${by}`))
          }
          const next =
            imported.typeOnly || imported.target === undefined ? undefined : byPath.get(imported.target)
          if (next === undefined || seen.has(next.path)) continue
          seen.add(next.path)
          visit(next)
        }
      }
      visit(root)
      return broken
    })
}

// --- time, chance, promises -----------------------------------------------------------------------------

const ambientNames = new Set([
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout"
])

const ambientMembers = new Set([
  "Date.now",
  "Math.random",
  "Promise.withResolvers",
  "performance.now",
  "process.hrtime",
  "process.nextTick"
])

const name = (node: unknown): string | undefined => {
  const it = node as Node | undefined
  return it?.type === "Identifier" ? (it["name"] as string) : undefined
}

/** `object.property`, also written `object["property"]`. */
const memberName = (node: Node): readonly [object: string, property: string] | undefined => {
  if (node.type !== "MemberExpression") return undefined
  const object = name(node["object"])
  const property = node["computed"] === true ? (node["property"] as Node)["value"] : name(node["property"])
  return object === undefined || typeof property !== "string" ? undefined : [object, property]
}

/** An identifier that names a property, not a variable. (`{ a }` is visited twice: as the name and as the variable.) */
const isPropertyName = (parent: Node | undefined, key: string): boolean =>
  parent !== undefined && parent["computed"] !== true && (key === "property" || key === "key")

const ambientUse = (node: Node, parent: Node | undefined, key: string): string | undefined => {
  const identifier = name(node)
  if (identifier !== undefined) {
    return ambientNames.has(identifier) && !isPropertyName(parent, key) ? identifier : undefined
  }
  const member = memberName(node)
  if (member !== undefined) {
    const [object, property] = member
    if (object === "globalThis" && ambientNames.has(property)) return `globalThis.${property}`
    return ambientMembers.has(`${object}.${property}`) ? `${object}.${property}` : undefined
  }
  if (node.type === "NewExpression") {
    const made = name(node["callee"])
    if (made === "Promise") return "new Promise"
    if (made === "Date" && (node["arguments"] as ReadonlyArray<unknown>).length === 0) return "new Date()"
  }
  return undefined
}

const eachNode = (
  tree: SourceTree,
  judge: (node: Node, parent: Node | undefined, key: string, file: SourceFile) => string | undefined
): ReadonlyArray<string> =>
  tree.sources.flatMap((file) => {
    const broken: Array<string> = []
    walk(file.program, (node, parent, key) => {
      const what = judge(node, parent, key, file)
      if (what !== undefined) broken.push(at(file, lineOf(file.text, node.start), what))
    })
    return broken
  })

/** Time, chance and waiting are Effect's, so that one seed is one history; only `node/` has the platform's. */
export const nothingAmbient: Rule = (tree) =>
  eachNode(tree, (node, parent, key, file) => {
    const use = folderOf(file.path) === "node" ? undefined : ambientUse(node, parent, key)
    return use === undefined ? undefined : `${use} outside node/`
  })

/** Where effects are run outside `node/`: in callbacks that a reactor calls inside an event, each with its own context. */
export const runsEffects: ReadonlyMap<string, string> = new Map([
  ["reactor/ReceiveLoop.ts", "the consumer's effect runs inside the event that brought the bytes"],
  ["reactor/Waiters.ts", "who only watches for an end has no fiber that waits"],
  ["protocol/Forward.ts", "the end of one direction is passed on inside the event that brought it"],
  ["protocol/Cut.ts", "that an effect starts, and who runs it is known, is one step"],
  ["result/DeferredScope.ts", "Deferreds live at the edge of events, where no fiber is"],
  ["reactor/Timers.ts", "a call is scheduled, and made, outside of any fiber"],
  [
    "reactor/TimersClock.ts",
    "the one fiber that sleeps until the next deadline is started by whoever schedules"
  ],
  ["reactor/CooperativeTask.ts", "a slice of a task runs inside a timed call"],
  ["reactor/PreparedListener.ts", "a connection's preparation starts inside the event that accepted it"],
  [
    "protocol/ClientPoolMachine.ts",
    "connections are made and closed in the pool's context, not in that of whoever asked"
  ],
  ["protocol/Server.ts", "a connection's fiber starts inside the event that accepted it"],
  [
    "memory/MemoryLoop.ts",
    "an event of the network in memory is posted from such a callback, and may be delayed"
  ],
  [
    "interop/CarriedTransport.ts",
    "what a transport is asked for within a turn is an effect of the stream below it"
  ],
  ["interop/SocketListener.ts", "a listener is told to drop a connection from outside any fiber"],
  ["interop/TransportSocket.ts", "whoever waits for input must be told when the scope of a reader ends"],
  ["sim/Running.ts", "a world runs its program within one call, without an event loop"],
  ["testing/suite/ReactorCase.ts", "the suite accepts connections as a server does"],
  ["testing/LeakCheck.ts", "an effect starts on a stack of its own, so that what it makes is known by it"],
  ["testing/LeakFibers.ts", "one fiber is made, to see what all of them share"],
  ["testingSetup.ts", "a test runner's hooks are no effects"]
])

/** Nothing is excused that needs no excuse. */
export const excusesAreNeeded: Rule = (tree) =>
  [...runsEffects.keys()].flatMap((file) => {
    const text = tree.sources.find((source) => source.path === file)?.text ?? ""
    return text.includes("Effect.run") ? [] : [`${file} runs no effects: take it off the list`]
  })

/** Effects are run by the application; the library only describes them. */
export const effectsAreNotRun: Rule = (tree) =>
  eachNode(tree, (node, _parent, _key, file) => {
    const member = memberName(node)
    if (member === undefined || folderOf(file.path) === "node" || runsEffects.has(file.path)) return undefined
    const [object, property] = member
    return object === "Effect" && /^run(Sync|Promise|Fork|Callback)/.test(property)
      ? `Effect.${property} outside node/`
      : undefined
  })

// --- how a file is written ------------------------------------------------------------------------------

/** `any` only below a line that switches the lint rule off, with a reason there or in a comment above it. */
export const noAny: Rule = (tree) =>
  eachNode(tree, (node, _parent, _key, file) => {
    if (node.type !== "TSAnyKeyword") return undefined
    const lines = file.text.split("\n")
    const line = lineOf(file.text, node.start)
    const above = (lines[line - 2] ?? "").trim()
    const excused = /^\/\/ oxlint-disable-next-line typescript\/no-explicit-any( -- \S.*)?$/.exec(above)
    const reason = excused?.[1] !== undefined || (lines[line - 3] ?? "").trim().startsWith("//")
    return excused !== null && reason ? undefined : "any without a reason"
  })

/** Things have names. */
export const noDefaultExport: Rule = (tree) =>
  eachNode(tree, (node) =>
    node.type === "ExportDefaultDeclaration" ||
    (node.type === "ExportSpecifier" && name(node["exported"]) === "default")
      ? "a default export"
      : undefined
  )

export const linesMax = 500

/** One noun per file; what a program wrote (`*.generated.ts`) may be as long as it comes. */
export const filesAreShort: Rule = (tree) =>
  tree.sources.flatMap((file) => {
    const lines = file.text.replace(/\n$/, "").split("\n").length
    const long = lines > linesMax && !file.path.endsWith(".generated.ts")
    return long ? [`${file.path} has ${lines} lines, more than ${linesMax}`] : []
  })

/** What is not done is not there. */
export const nothingUnfinished: Rule = (tree) =>
  tree.sources.flatMap((file) =>
    [...file.text.matchAll(/\b(?:TODO|FIXME)\b/g)].map((found) =>
      at(file, lineOf(file.text, found.index), `${found[0]} left behind`)
    )
  )

/** An `index.ts` is a list of what a folder offers. */
export const indexesOnlyReexport: Rule = (tree) =>
  tree.sources
    .filter((file) => path.posix.basename(file.path) === "index.ts")
    .flatMap((file) =>
      (file.program["body"] as ReadonlyArray<Node>).flatMap((statement) =>
        statement.type.startsWith("Export") && (statement["source"] ?? null) !== null
          ? []
          : [at(file, lineOf(file.text, statement.start), "an index.ts only re-exports")]
      )
    )

/** No file needs itself to start. Types may refer to each other: they are gone by then. */
export const noCycles: Rule = (tree) => {
  const edges = new Map(
    tree.sources.map((file) => [
      file.path,
      file.imports.flatMap(({ target, typeOnly }) => (typeOnly || target === undefined ? [] : [target]))
    ])
  )
  const broken: Array<string> = []
  const done = new Set<string>()
  const visit = (file: string, trail: ReadonlyArray<string>): void => {
    const from = trail.indexOf(file)
    if (from >= 0) {
      broken.push(`${[...trail.slice(from), file].join(" -> ")} is a cycle`)
      return
    }
    if (done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  return broken
}

// --- folders --------------------------------------------------------------------------------------------

const foldersOf = (tree: SourceTree): ReadonlyArray<string> =>
  [...new Set(tree.sources.map((file) => path.posix.dirname(file.path)))].sort()

/** Every folder explains itself. */
export const foldersHaveReadme: Rule = (tree) =>
  foldersOf(tree)
    .map((folder) => path.posix.join(folder, "README.md"))
    .flatMap((readme) => (tree.paths.has(readme) ? [] : [`${readme} is missing`]))

/** Entry points that are a file of their own. */
const fileEntries: Readonly<Record<string, string>> = { "./testing/setup": "testingSetup.ts" }

/** Every folder at the top is an entry point, with an `index.ts`; every entry point has its folder, or file. */
export const foldersAreEntryPoints =
  (subpaths: ReadonlyArray<string>): Rule =>
  (tree) => {
    const entries = subpaths.filter((subpath) => subpath !== "./package.json")
    const indexes = entries.map((subpath) => fileEntries[subpath] ?? path.posix.join(subpath, "index.ts"))
    const folders = foldersOf(tree).filter((folder) => !folder.includes("/") && folder !== ".")
    return [
      ...folders
        .filter((folder) => !entries.includes(`./${folder}`))
        .map((folder) => `${folder}/ is no entry point: package.json exports no "./${folder}"`),
      ...indexes.filter((index) => !tree.paths.has(index)).map((index) => `${index} is missing`)
    ]
  }
