# `sep serve` in a container; docs/deploy.md says how to run it.
FROM node:24-slim AS build
WORKDIR /package
COPY . .
# the package's own build; scripts of its dependencies are not needed
RUN npm ci --ignore-scripts && npm run build && npm pack --ignore-scripts --pack-destination /tmp

FROM node:24-slim
COPY --from=build /tmp/semantic-entropy-probes-*.tgz /tmp/
RUN npm install --global --ignore-scripts --omit=optional /tmp/semantic-entropy-probes-*.tgz \
  && rm -r /tmp/*.tgz /root/.npm
# the cache of models, if one is downloaded
ENV HF_HOME=/models NODE_ENV=production
RUN mkdir /models /probes && chown node:node /models
USER node
WORKDIR /probes
VOLUME /models
EXPOSE 8000
HEALTHCHECK --start-period=120s --interval=10s --timeout=3s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8000/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["sep", "serve", "--host", "0.0.0.0"]
