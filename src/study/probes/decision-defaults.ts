/** Share of all answers that may be given and wrong, where none is asked for. */
export const DEFAULT_TARGET_RISK = 0.1;

/** Share of answers to be given, where none is asked for. */
export const DEFAULT_TARGET_COVERAGE = 0.8;
