/**
 * Imports of this package's modules, and of Effect's, resolved without asking the file system.
 *
 * For each import Node looks for `node_modules` in every folder above, reads `exports` anew, asks for the file, its real path, and the
 * `package.json` that says what a `.js` is. Of a command that loads 550 modules that is 40 percent of the start, and all of it
 * is known: what is relative is beside its importer, has its extension, and is a module; and Effect is the same for all of us.
 */
import * as module from "node:module"

/** Loaders and hooks that the user has asked for are not to miss anything. */
const othersListen = /(^|\s)(--import|--require|-r|--loader|--experimental-loader)\b/

const folderOf = (url: string): string => url.slice(0, url.lastIndexOf("/") + 1)

/** From now on, for this thread. `home` is the URL of the folder that all of this package's modules are in. */
export const install = (home: string): void => {
  if (othersListen.test([process.env.NODE_OPTIONS ?? "", ...process.execArgv].join(" "))) return
  const effectHome = folderOf(import.meta.resolve("effect/Effect"))
  const extension = import.meta.url.slice(-3)
  const known = new Map<string, module.ResolveFnOutput>()
  const kindOf = (url: string) =>
    url.endsWith(".js")
      ? "module"
      : url.endsWith(".ts") && extension === ".ts"
        ? "module-typescript"
        : undefined
  module.registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL = "" } = context
      const isOurs = parentURL.startsWith(home)
      if (specifier.startsWith(".")) {
        if (!isOurs && !parentURL.startsWith(effectHome)) return next(specifier, context)
        const { href } = new URL(specifier, parentURL)
        const format = kindOf(href)
        return format === undefined ? next(specifier, context) : { url: href, format, shortCircuit: true }
      }
      if (!isOurs || !specifier.startsWith("effect/")) return next(specifier, context)
      const found = known.get(specifier)
      if (found !== undefined) return found
      const { format, url } = next(specifier, context)
      const resolved = { url, format, shortCircuit: true }
      known.set(specifier, resolved)
      return resolved
    }
  })
}
