@echo off
rem Installs Qanat beside this file: install.bat [WHEEL or FOLDER]
rem Without an argument: the checkout in which this file lies, or else the package of that name.
setlocal
set "WHAT=%~1"
if "%WHAT%"=="" if exist "%~dp0..\..\pyproject.toml" set "WHAT=%~dp0..\.."
if "%WHAT%"=="" set "WHAT=qanat"
where py >nul 2>nul
if errorlevel 1 (
    echo Python 3.11 or newer is needed: https://www.python.org/downloads/windows/
    exit /b 1
)
py -3 -c "import sys; sys.exit(sys.version_info < (3, 11))"
if errorlevel 1 (
    echo Python 3.11 or newer is needed; this one is older.
    exit /b 1
)
if not exist "%~dp0venv\Scripts\python.exe" py -3 -m venv "%~dp0venv"
if errorlevel 1 exit /b 1
"%~dp0venv\Scripts\python.exe" -m pip install --upgrade "%WHAT%[postgres]"
if errorlevel 1 exit /b 1
"%~dp0venv\Scripts\qanat.exe" --version
echo Installed. Put the settings into "%~dp0qanat.toml", then: start.bat
