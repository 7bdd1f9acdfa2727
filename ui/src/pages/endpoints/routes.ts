/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [] as const;
