/** A directory of files, served in memory or on a port, and asked for what is in it. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import type { HttpServer } from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as StaticFiles from "../../src/http/StaticFiles.ts"
import * as StaticStore from "../../src/http/StaticStore.ts"
import { bodyOf, type Kind, served, serving } from "./httpKit.ts"

/** A directory of its own, away with the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "spindle-static-")))),
  (root) => Effect.sync(() => fs.rmSync(root, { recursive: true, force: true }))
)

/** Writes a file, and the directories above it, as old as `modified` says. */
export const write = (
  root: string,
  name: string,
  contents: string | Uint8Array,
  modified = 1_700_000_000
): void => {
  const file = path.join(root, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, contents)
  fs.utimesSync(file, modified, modified)
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export const parse = (text: string): Answer => {
  const [head = ""] = text.split("\r\n\r\n", 1)
  const [first = "", ...lines] = head.split("\r\n")
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { status: Number(first.split(" ")[1]), headers, body: bodyOf(text) }
}

/** Routes, and a function that asks them: `get("/a.txt", { range: "bytes=0-3" })`. */
export const asking = Effect.fnUntraced(function* <E, R>(
  routes: Layer.Layer<never, E, R>,
  kind: Kind = "memory"
) {
  const { ask, bound, connect } = yield* serving(
    kind,
    undefined,
    Layer.orDie(served(routes)) as Layer.Layer<never, never, HttpServer>
  )
  const send = (method: string, target: string, headers: Readonly<Record<string, string>> = {}, body = "") =>
    Effect.map(
      ask(
        `${method} ${target} HTTP/1.1\r\nHost: ${headers["host"] ?? "spindle"}\r\nConnection: close\r\n` +
          Object.entries(headers)
            .map(([name, value]) => (name === "host" ? "" : `${name}: ${value}\r\n`))
            .join("") +
          (body === "" ? "\r\n" : `Content-Length: ${body.length}\r\n\r\n${body}`)
      ),
      parse
    )
  return {
    ask,
    bound,
    connect,
    send,
    get: (target: string, headers?: Readonly<Record<string, string>>) => send("GET", target, headers)
  }
})

export type Via = "Node" | "FileSystem"

/** A served directory: by our own store, or by Effect's `FileSystem`. */
export const files = (options: StaticFiles.LayerOptions, via: Via = "Node") =>
  via === "Node"
    ? StaticFiles.layer(options)
    : StaticFiles.layer(options).pipe(
        Layer.provide(StaticStore.layerFileSystem),
        Layer.provide([NodeFileSystem.layer, NodePath.layer])
      )
