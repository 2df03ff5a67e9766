export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false,
  timeout: '120s',
  environmentVariables: { NODE_ENV: 'test' },
};
