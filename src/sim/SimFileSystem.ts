import * as FileSystem from "effect/FileSystem"
import type { SimNode } from "./SimNode.ts"
export const make = (_node: SimNode): FileSystem.FileSystem => FileSystem.makeNoop({})
