import type * as Ffi from "node:ffi"

/**
 * Node's `ffi`; throws where there is none. Node says that it is an experiment. Who runs a daemon can do nothing about that, and all
 * that is done with it here has another way, or says what it needs: so the warning is left out.
 */
export const experimentalFfi = (): typeof Ffi => {
  const emit = process.emitWarning
  process.emitWarning = () => {}
  try {
    const ffi = process.getBuiltinModule("node:ffi") as typeof Ffi | undefined
    if (ffi === undefined) throw new Error(`Node ${process.versions.node} has no node:ffi`)
    return ffi
  } finally {
    process.emitWarning = emit
  }
}
