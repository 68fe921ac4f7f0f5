/** Watching trees of files on Node. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FileWatch, make as makeOn } from "../reactor/FileWatch.ts"
import { NodeFileWatchFlood } from "./NodeFileWatchFlood.ts"
import * as Platform from "./NodeFileWatchPlatform.ts"

/** Everything watched through one of these counts hints together: they share the kernel's queue. */
export const make = (): FileWatch["Service"] => makeOn(Platform.make(new NodeFileWatchFlood()))

export const layer: Layer.Layer<FileWatch> = Layer.effect(FileWatch, Effect.sync(make))
